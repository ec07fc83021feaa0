import { lazy, type ReactNode, Suspense } from "react";
import { Redirect, Route, Switch } from "wouter";
import { AcceptInvite } from "./pages/AcceptInvite";
import { SignIn } from "./pages/SignIn";
import { SignUp } from "./pages/SignUp";
import { paths } from "./paths";
import { useSession } from "./session/SessionProvider";
import { Loading } from "./ui/States";

// Nobody needs it to sign in.
const SignedIn = lazy(() => import("./SignedIn"));

/** Which page is shown to whom. */
export function App(): ReactNode {
    const session = useSession();
    if (session.status === "loading") {
        return <Loading />;
    }
    return (
        <Switch>
            <Route path={paths.invite} component={AcceptInvite} />
            {session.status === "out" ? (
                <SignedOut wasIn={session.wasIn} />
            ) : (
                <Suspense fallback={<Loading />}>
                    {/* Another member starts from nothing. */}
                    <SignedIn key={session.user.id} />
                </Suspense>
            )}
        </Switch>
    );
}

function SignedOut({ wasIn }: { wasIn: boolean }): ReactNode {
    return (
        <Switch>
            <Route path={paths.signIn} component={SignIn} />
            <Route path={paths.signUp} component={SignUp} />
            <Route path="/" component={SignUp} />
            <Route>
                <Redirect to={wasIn ? `${paths.signIn}?ended` : paths.signIn} replace />
            </Route>
        </Switch>
    );
}
