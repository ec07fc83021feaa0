import { ApiError } from "@roomcast/client";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { Redirect, Route, Switch } from "wouter";
import { LiveProvider } from "./live/LiveProvider";
import { Live } from "./pages/Live";
import { paths } from "./paths";
import { Shell } from "./ui/Shell";
import { Loading } from "./ui/States";

// What is not seen first is loaded when it is.
const Feed = lazy(() => import("./pages/Feed"));
const Members = lazy(() => import("./pages/Members"));
const Messages = lazy(() => import("./pages/Messages"));
const Organisation = lazy(() => import("./pages/Organisation"));
const Broadcast = lazy(() => import("./pages/Broadcast"));

/** The pages of somebody who is signed in. */
export default function SignedIn(): ReactNode {
    const [queries] = useState(newQueryClient);
    return (
        <QueryClientProvider client={queries}>
            <LiveProvider>
                <Shell>
                    <Suspense fallback={<Loading />}>
                        <Switch>
                            <Route path={paths.live} component={Live} />
                            <Route path={paths.feed} component={Feed} />
                            <Route path={paths.members} component={Members} />
                            <Route path={paths.organisation} component={Organisation} />
                            <Route path={paths.broadcast} component={Broadcast} />
                            <Route path={paths.messages} component={Messages} />
                            <Route>
                                <Redirect to={paths.live} replace />
                            </Route>
                        </Switch>
                    </Suspense>
                </Shell>
            </LiveProvider>
        </QueryClientProvider>
    );
}

function newQueryClient(): QueryClient {
    // The client sends again by itself what may be; what the hub refused stays refused.
    const retry = (failures: number, error: Error): boolean => !(error instanceof ApiError) && failures < 1;
    return new QueryClient({ defaultOptions: { queries: { retry, staleTime: 10_000 } } });
}
