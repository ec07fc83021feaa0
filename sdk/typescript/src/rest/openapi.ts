// Made by `npm run generate` from `roomcast openapi`: not to be edited.

export type paths = {
    "/activities": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The activity log.
         * @description What the caller may see of it in their present role, newest first, or oldest first with `after`.
         */
        get: operations["list_activities"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/forgot-password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ask for a new password.
         * @description Where an account has this email, a way to a new password is sent there, which counts once, for an hour. The answer
         *     is the same where none has. Fails with `mail_not_configured`.
         */
        post: operations["forgot_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign in.
         * @description To the organisation that is named, else to the one used last. Fails with `credentials_invalid` or
         *     `no_membership`.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign out.
         * @description The session ends, with its tokens and sockets.
         */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The caller and their organisation. */
        get: operations["get_me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change one's name or password.
         * @description A name is for this organisation, a password for the account; a new one ends all other sessions. Fails
         *     with `credentials_invalid` where `currentPassword` is wrong.
         */
        patch: operations["update_me"];
        trace?: never;
    };
    "/auth/organisations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The organisations of the caller's account. */
        get: operations["list_organisations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get the next pair of tokens.
         * @description A refresh token is used once. Where the answer was lost, the same one may be used again for a short
         *     while, as long as its successor is unused; after that it ends the session (`refresh_token_reused`).
         *     Fails also with `refresh_token_invalid` and `session_ended`.
         */
        post: operations["refresh_tokens"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Found an organisation.
         * @description Its founder becomes its first admin, with a new account; or with the account that has this email,
         *     where the password is its own. Fails with `email_taken` or `registration_closed`.
         */
        post: operations["register"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/reset-password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Choose a new password.
         * @description With the token of an email. All sessions of the account end. Fails with `reset_token_invalid`.
         */
        post: operations["reset_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/sign-up": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Become the first admin of an organisation that the platform founded.
         * @description With the token that its founding was answered with, and a new account, or the account that has this email
         *     where the password is its own. Fails with `sign_up_invalid`, `sign_up_used`, `sign_up_expired`, with
         *     `credentials_invalid` where the email has an account and the password is not its own, or with
         *     `organisation_suspended`.
         */
        post: operations["sign_up"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/switch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start a session in another organisation of the account.
         * @description The present session goes on. Fails with `no_membership`.
         */
        post: operations["switch_organisation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/credits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The organisation's credits. */
        get: operations["get_credits"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/credits/entries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The ledger, the newest entries first.
         * @description For admins. The balance is the sum of all amounts.
         */
        get: operations["list_credit_entries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The organisation's jobs: those that have failed for good, unless others are asked for.
         * @description For admins.
         */
        get: operations["list_jobs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run a job again that has failed for good.
         * @description It is tried up to eight times. For admins.
         */
        post: operations["retry_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The messages, the newest first.
         * @description Admins see all of the organisation's, members their own.
         */
        get: operations["list_messages"];
        put?: never;
        /**
         * Send a message.
         * @description It is queued, and its price reserved: its way from there is told by the activities `MESSAGE_SENT` and
         *     `MESSAGE_FAILED`, which the sender and admins see. Fails with `insufficient_credits`.
         */
        post: operations["send_message"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/messages/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send up to 1,000 messages.
         * @description Each has a result of its own: queued, or why it is not. Where the credits do not suffice for all, the first
         *     are queued.
         */
        post: operations["send_messages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/messages/gateways": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The gateways, one for each channel. */
        get: operations["list_gateways"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/messages/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A message and the attempts to send it. */
        get: operations["get_message"];
        put?: never;
        post?: never;
        /**
         * Call a message off.
         * @description Its price is given back. Fails with `message_not_cancellable` once it is being sent, or has ended.
         */
        delete: operations["cancel_message"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/organisations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The caller's organisation. */
        get: operations["get_organisation"];
        put?: never;
        /**
         * Found another organisation.
         * @description The caller becomes its admin; `POST /auth/switch` starts a session there. Fails with
         *     `registration_closed` where only platform administrators make organisations.
         */
        post: operations["create_organisation"];
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Rename the organisation.
         * @description Its slug stays. For admins.
         */
        patch: operations["update_organisation"];
        trace?: never;
    };
    "/organisations/broadcast": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a message to every member.
         * @description The answer is the activity, byte for byte as members see it. For admins.
         */
        post: operations["create_broadcast"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/organisations/presence": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who is online in the organisation.
         * @description In the order in which they came online.
         */
        get: operations["list_presence"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/organisations/subscription": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change the plan.
         * @description For admins. Fails with `plan_unchanged`, or with `member_limit_reached` where the organisation has
         *     more members than the plan allows.
         */
        patch: operations["update_subscription"];
        trace?: never;
    };
    "/orgs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Found an organisation, by its short path.
         * @description The same as `POST /platform/organisations`.
         */
        post: operations["create_org"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/administrators": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The platform's administrators.
         * @description For `super_admin`.
         */
        get: operations["list_administrators"];
        put?: never;
        /**
         * Make an administrator.
         * @description For `super_admin`. Fails with `email_taken`.
         */
        post: operations["create_administrator"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/administrators/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change an administrator's role, or disable them.
         * @description Who is disabled is signed out everywhere at once. For `super_admin`. Fails with `last_super_admin`.
         */
        patch: operations["update_administrator"];
        trace?: never;
    };
    "/platform/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The audit, the newest first.
         * @description Every call of a platform administrator, and up to a bound what others caused: sign-ins that failed, and requests
         *     that named another organisation than their token was for. What may change something is in it twice: as it began,
         *     with no `status`, and as it ended; both have its `requestId`. For `super_admin` and `support`.
         */
        get: operations["list_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign in as a platform administrator.
         * @description The tokens are for the platform's audience: members' tokens are not taken here, nor these where members' are,
         *     but to act for an organisation that `X-Org-Id` or `X-Tenant` names. Fails with `credentials_invalid`.
         */
        post: operations["platform_login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign out.
         * @description The session ends at once, on every node.
         */
        post: operations["platform_logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is asking. */
        get: operations["get_platform_me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get an administrator's next pair of tokens.
         * @description By the same rules as `POST /auth/refresh`.
         */
        post: operations["platform_refresh"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/messages/totals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many messages of each organisation stand where.
         * @description By channel and status; `QUEUED` are those on their way. Organisations that have sent none are left out. For every
         *     administrator.
         */
        get: operations["list_message_totals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/organisations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The organisations.
         * @description As the directory has them: a name, plan or status that has just changed may take a moment. For every
         *     administrator.
         */
        get: operations["list_platform_organisations"];
        put?: never;
        /**
         * Found an organisation.
         * @description Also where registration is closed. It has no member yet: `signUpToken` makes whoever redeems it at
         *     `POST /auth/sign-up` its first admin, once, within a week. For `super_admin`. Fails with `slug_taken`.
         */
        post: operations["found_organisation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/organisations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * An organisation, as its own store has it.
         * @description For every administrator.
         */
        get: operations["get_platform_organisation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change an organisation's name or plan.
         * @description For `super_admin`, and `billing` where it is the plan alone. Fails with `plan_unchanged`, or with
         *     `member_limit_reached` where it has more members than the plan allows; then the name stays, too.
         */
        patch: operations["change_organisation"];
        trace?: never;
    };
    "/platform/organisations/{id}/credits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * An organisation's credits.
         * @description For every administrator.
         */
        get: operations["get_organisation_credits"];
        put?: never;
        /**
         * Change an organisation's credits.
         * @description A top-up adds some, an adjustment adds or takes away. It is an entry of the ledger, with the reason, of which the
         *     organisation's admins are told by `CREDITS_CHANGED`. For `super_admin` and `billing`. Fails with
         *     `insufficient_credits` where more is to be taken away than there is.
         */
        post: operations["change_organisation_credits"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/organisations/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Open an organisation again that was suspended.
         * @description Everybody may go on in the sessions that they had. For `super_admin`.
         */
        post: operations["resume_organisation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/organisations/{id}/sign-up": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give out another sign-up token.
         * @description In the place of the one before, as long as the organisation has no member. For `super_admin`. Fails with
         *     `already_signed_up`.
         */
        post: operations["reissue_sign_up"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/platform/organisations/{id}/suspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Suspend an organisation.
         * @description Sign-in and requests of its members are refused with `organisation_suspended`, and their sockets close with
         *     4404, on every node within a second. For `super_admin`.
         */
        post: operations["suspend_organisation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The live stream.
         * @description The frames of the socket at `/ws` as server-sent events, one JSON text each. `id` is the position: who comes back
         *     with the last one misses nothing. A comment comes every 15 seconds. The last event is named `CLOSE`, with the
         *     socket's close code and its reason. The stream ends when its token does.
         */
        get: operations["open_stream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The members of the organisation.
         * @description In the order in which they joined. For admins.
         */
        get: operations["list_users"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/accept-invite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept an invite.
         * @description The invited person becomes a member and is signed in. Fails with `invite_invalid`, `invite_used`,
         *     `invite_expired`, `member_limit_reached`, or with `credentials_invalid` where the email has an account
         *     and the password is not its own.
         */
        post: operations["accept_invite"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/invite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Invite somebody.
         * @description An earlier invite of the same email that waits is revoked. For admins. Fails with `already_member`, or
         *     with `member_limit_reached` where no seat is free; invites that wait take none.
         */
        post: operations["invite_user"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/invites": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The invites that wait to be accepted.
         * @description For admins.
         */
        get: operations["list_invites"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/invites/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an invite.
         * @description For admins. One that was used or revoked is not found.
         */
        delete: operations["delete_invite"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a member.
         * @description Their sessions end and their sockets close. For admins. Fails with `last_admin` where the
         *     organisation would be left without one.
         */
        delete: operations["delete_user"];
        options?: never;
        head?: never;
        /**
         * Change a member's role.
         * @description For admins. Fails with `last_admin` where the organisation would be left without one.
         */
        patch: operations["update_user"];
        trace?: never;
    };
};
export type webhooks = Record<string, never>;
export type components = {
    schemas: {
        /** @description An accepted invite, from the person it was for. */
        AcceptInvite: {
            name: components["schemas"]["PersonName"];
            /**
             * Format: password
             * @description The account's own where the email has one, else a new one.
             */
            password: string;
            token: string;
        };
        /** @description Something that happened in the organisation, the same in an answer, in the feed and as a live frame. */
        Activity: {
            actor: components["schemas"]["Named"] | null;
            createdAt: components["schemas"]["Timestamp"];
            id: components["schemas"]["ActivityId"];
            /** @description What there is to know about it; its fields depend on the type. */
            payload: Record<string, unknown>;
            /** @description Its place in the organisation's log: 1, 2, 3 … */
            seq: components["schemas"]["Seq"];
            target: components["schemas"]["Named"] | null;
            /**
             * @description What happened. Clients ignore types that they do not know.
             * @example BROADCAST_MESSAGE
             */
            type: string;
        };
        /**
         * Format: uuid
         * @description An activity of an organisation's log.
         */
        ActivityId: string;
        /** @description An administrator. */
        Administrator: {
            createdAt: components["schemas"]["Timestamp"];
            email: components["schemas"]["Email"];
            id: components["schemas"]["AdministratorId"];
            name: components["schemas"]["PersonName"];
            role: components["schemas"]["AdministratorRole"];
            status: components["schemas"]["AdministratorStatus"];
            updatedAt: components["schemas"]["Timestamp"];
        };
        /**
         * Format: uuid
         * @description A platform administrator, in the directory.
         */
        AdministratorId: string;
        /**
         * @description What an administrator may do; [`policy`](super::policy) has the table.
         * @enum {string}
         */
        AdministratorRole: "super_admin" | "support" | "billing";
        /**
         * @description Whether an administrator may sign in.
         * @enum {string}
         */
        AdministratorStatus: "active" | "disabled";
        /**
         * @description How an attempt ended.
         * @enum {string}
         */
        AttemptOutcome: "SENT" | "REJECTED" | "UNAVAILABLE" | "UNKNOWN";
        /** @description An entry of the audit. */
        AuditEntry: {
            /**
             * @description The method and the route, or `tenant_mismatch`.
             * @example POST /platform/organisations/{id}/suspend
             */
            action: string;
            administratorEmail: components["schemas"]["Email"] | null;
            administratorId: components["schemas"]["AdministratorId"] | null;
            /** @description The code of a refusal. */
            code: string | null;
            createdAt: components["schemas"]["Timestamp"];
            id: components["schemas"]["AuditId"];
            ip: string | null;
            method: string;
            organisationId: components["schemas"]["OrgId"] | null;
            path: string;
            requestId: string;
            role: components["schemas"]["AdministratorRole"] | null;
            /**
             * Format: int64
             * @description What it was answered; null in the entry that it began, which what may change something has.
             * @example 200
             */
            status: number | null;
            userAgent: string | null;
        };
        /**
         * Format: uuid
         * @description An entry of the platform's audit.
         */
        AuditId: string;
        /** @description What became of the messages of a batch, in their order. */
        BatchBody: {
            /** @description How many are queued. */
            queued: number;
            /** @description How many are refused. */
            refused: number;
            results: components["schemas"]["BatchResult"][];
        };
        /** @description What became of a message of a batch: it is queued, or refused. */
        BatchResult: {
            message?: components["schemas"]["Message"] | null;
            problem?: components["schemas"]["Problem"] | null;
            /**
             * Format: int32
             * @description The status that it would have had alone: 201, 402 or 422.
             * @example 201
             */
            status: number;
        };
        /**
         * @description How a breaker stands.
         * @enum {string}
         */
        BreakerState: "closed" | "open" | "half_open";
        /** @description What somebody decides about an organisation's credits. */
        ChangeCredits: {
            /**
             * Format: int64
             * @description How many credits: of a top-up above zero, of an adjustment below zero where it takes away.
             * @example 50
             */
            amount: number;
            kind: components["schemas"]["ChangeKind"];
            reason: components["schemas"]["CreditReason"];
        };
        /**
         * @description What is decided: credits are bought or given, or corrected.
         * @enum {string}
         */
        ChangeKind: "TOP_UP" | "ADJUSTMENT";
        /** @description What to change of an organisation. */
        ChangeOrganisation: {
            name?: components["schemas"]["OrganisationName"] | null;
            plan?: components["schemas"]["PlanCode"] | null;
        };
        /**
         * @description How a message reaches its recipient.
         * @enum {string}
         */
        Channel: "sms" | "email" | "push" | "webhook";
        /** @description An administrator to be made. */
        CreateAdministrator: {
            email: components["schemas"]["Email"];
            name: components["schemas"]["PersonName"];
            /** Format: password */
            password: string;
            role: components["schemas"]["AdministratorRole"];
        };
        /** @description A message to everyone. */
        CreateBroadcast: {
            /** @description Anything for applications, at most 16 KiB as JSON. */
            data?: Record<string, unknown> | null;
            /** @example Lunch is ready */
            message: string;
        };
        /** @description An entry of the ledger. */
        CreditEntry: {
            /**
             * Format: int64
             * @description What it adds to the balance.
             */
            amount: number;
            /**
             * Format: int64
             * @description The balance after it.
             */
            balance: number;
            createdAt: components["schemas"]["Timestamp"];
            kind: components["schemas"]["EntryKind"];
            messageId: components["schemas"]["MessageId"] | null;
            /** @description Why, where somebody decided it. */
            reason: string | null;
            /**
             * Format: int64
             * @description Its place in the ledger: 1, 2, 3 …
             */
            seq: number;
        };
        /**
         * @description Why an organisation's credits change: one line of 1 to 500 characters, without outer spaces.
         * @example Paid by invoice 7
         */
        CreditReason: string;
        /** @description What an organisation may spend. */
        Credits: {
            /**
             * Format: int64
             * @description What may be spent.
             */
            balance: number;
            /**
             * Format: int64
             * @description What the organisation started with.
             */
            initial: number;
            /**
             * Format: int64
             * @description At this balance the admins are told by `CREDITS_LOW`: a fifth of `initial`.
             */
            lowAt: number;
            /**
             * Format: int64
             * @description What is put aside for messages on their way.
             */
            reserved: number;
        };
        /**
         * @description An email address: one `@`, 3 to 254 characters, no spaces; kept in lower case, so that one person
         *     cannot sign up twice by case.
         * @example ana@example.com
         */
        Email: string;
        /**
         * @description Why the balance changed.
         * @enum {string}
         */
        EntryKind: "INITIAL" | "RESERVED" | "SETTLED" | "REFUNDED" | "TOP_UP" | "ADJUSTMENT";
        /** @description A field that is not acceptable, and what was expected of it. */
        FieldError: {
            /** @description The field's name in the body or the query, dotted where it is inside another. */
            field: string;
            /** @description What was expected, for people. */
            message: string;
        };
        /** @description Whose password is forgotten. */
        ForgotPassword: {
            email: components["schemas"]["Email"];
        };
        /** @description An organisation to found. */
        FoundOrganisation: {
            isolation?: components["schemas"]["Isolation"] | null;
            name: components["schemas"]["OrganisationName"];
            plan?: components["schemas"]["PlanCode"] | null;
            slug?: components["schemas"]["Slug"] | null;
        };
        /** @description The gateway of a channel. */
        Gateway: {
            /** @description The organisation's circuit breaker, as this node has it. */
            breaker: components["schemas"]["BreakerState"];
            channel: components["schemas"]["Channel"];
            /** @example simulated */
            gateway: string;
            /**
             * Format: int64
             * @description What a message on this channel costs, in credits.
             */
            price: number;
            /** @description Whether it only says that it has sent something. */
            simulated: boolean;
        };
        /** @description The gateways, one for each channel. */
        Gateways: {
            items: components["schemas"]["Gateway"][];
        };
        /** @description An invite that waits to be accepted. */
        Invite: {
            createdAt: components["schemas"]["Timestamp"];
            email: components["schemas"]["Email"];
            expiresAt: components["schemas"]["Timestamp"];
            id: components["schemas"]["InviteId"];
            /** @description The user who invited them. */
            invitedBy: components["schemas"]["UserId"];
            name: components["schemas"]["PersonName"] | null;
            role: components["schemas"]["Role"];
        };
        /** @description An invite with its token, which is told this once. */
        InviteCreated: {
            email: components["schemas"]["Email"];
            expiresAt: components["schemas"]["Timestamp"];
            id: components["schemas"]["InviteId"];
            /** @description To be handed to the invited person, for `POST /users/accept-invite`. */
            inviteToken: string;
            role: components["schemas"]["Role"];
        };
        /**
         * Format: uuid
         * @description An invite to an organisation.
         */
        InviteId: string;
        /** @description Whom to invite. */
        InviteUser: {
            email: components["schemas"]["Email"];
            name?: components["schemas"]["PersonName"] | null;
            role?: components["schemas"]["Role"] | null;
        };
        /**
         * @description How far an organisation's rows are apart from those of others. It is chosen when the organisation is founded, and
         *     stands.
         * @enum {string}
         */
        Isolation: "shared" | "schema" | "database";
        /** @description Work to be done later. What it is about is not shown: it may hold what its reader may not see. */
        Job: {
            /**
             * Format: int64
             * @description How often it was begun.
             */
            attempts: number;
            createdAt: components["schemas"]["Timestamp"];
            dueAt: components["schemas"]["Timestamp"] | null;
            id: components["schemas"]["JobId"];
            /**
             * @description What it does.
             * @example messages.send
             */
            kind: string;
            /** @description Why it failed the last time. */
            lastError: string | null;
            /** Format: int64 */
            maxAttempts: number;
            state: components["schemas"]["JobState"];
            updatedAt: components["schemas"]["Timestamp"];
        };
        /**
         * Format: uuid
         * @description Work to be done later.
         */
        JobId: string;
        /**
         * @description Where a job stands.
         * @enum {string}
         */
        JobState: "READY" | "RUNNING" | "DEAD";
        /** @description Who signs in, and where. */
        Login: {
            email: components["schemas"]["Email"];
            /**
             * @description The organisation's id or slug; without it, the one used last.
             * @example acme
             */
            organisation?: string | null;
            /** Format: password */
            password: string;
        };
        /** @description The caller and their organisation. */
        Me: {
            organisation: components["schemas"]["Organisation"];
            user: components["schemas"]["User"];
        };
        /** @description A member of an organisation, and whether they are online. */
        Member: components["schemas"]["User"] & {
            /** @description Whether the member has a socket open, or had one a moment ago. */
            online: boolean;
        };
        /** @description An organisation of the caller's account, and the role there. */
        MembershipBody: {
            organisation: components["schemas"]["Organisation"];
            role: components["schemas"]["Role"];
        };
        /** @description A message. */
        Message: {
            body: string;
            channel: components["schemas"]["Channel"];
            createdAt: components["schemas"]["Timestamp"];
            /** @description The user who sends it. */
            createdBy: components["schemas"]["UserId"];
            id: components["schemas"]["MessageId"];
            /**
             * Format: int64
             * @description What it costs, in credits.
             */
            price: number;
            status: components["schemas"]["MessageStatus"];
            to: string;
            updatedAt: components["schemas"]["Timestamp"];
        };
        /** @description An attempt to send a message. */
        MessageAttempt: {
            /** @description What the gateway said. */
            detail: string | null;
            endedAt: components["schemas"]["Timestamp"] | null;
            gateway: string;
            /** Format: int64 */
            number: number;
            outcome: components["schemas"]["AttemptOutcome"] | null;
            startedAt: components["schemas"]["Timestamp"];
        };
        /**
         * Format: uuid
         * @description A message on a channel.
         */
        MessageId: string;
        /**
         * @description Where a message stands.
         * @enum {string}
         */
        MessageStatus: "QUEUED" | "SENDING" | "SENT" | "FAILED" | "CANCELLED";
        /** @description How many messages there are on a channel, in a status. */
        MessageTotal: {
            channel: components["schemas"]["Channel"];
            /** Format: int64 */
            count: number;
            /**
             * @description `QUEUED` (on their way), `SENT`, `FAILED` or `CANCELLED`.
             * @example SENT
             */
            status: string;
        };
        /** @description How many messages of an organisation stand where. */
        MessageTotals: {
            organisationId: components["schemas"]["OrgId"];
            totals: components["schemas"]["MessageTotal"][];
        };
        /** @description A message and the attempts to send it. */
        MessageWithAttempts: components["schemas"]["Message"] & {
            attempts: components["schemas"]["MessageAttempt"][];
        };
        /** @description A person or thing by id and by its name as of then. */
        Named: {
            /**
             * Format: uuid
             * @description The id of the user, invite or organisation.
             */
            id: string;
            /** @description The name that it had when the activity was recorded. */
            name: string;
        };
        /** @description Nothing: an empty object. */
        NoFields: Record<string, unknown>;
        /**
         * Format: uuid
         * @description An organisation, which is a tenant.
         */
        OrgId: string;
        /** @description An organisation. */
        Organisation: {
            createdAt: components["schemas"]["Timestamp"];
            id: components["schemas"]["OrgId"];
            /**
             * Format: int64
             * @description How many members it has.
             * @example 1
             */
            memberCount: number;
            /**
             * Format: int64
             * @description How many members the plan allows; null is no limit.
             * @example 3
             */
            memberLimit: number | null;
            name: components["schemas"]["OrganisationName"];
            /** @description `FREE`, `PRO`, `ENTERPRISE`, or another that a later version knows. */
            plan: components["schemas"]["PlanCode"];
            /** @description Its name in addresses, which no other organisation has. It does not change with the name. */
            slug: components["schemas"]["Slug"];
            updatedAt: components["schemas"]["Timestamp"];
        };
        /** @description The name of an organisation. */
        OrganisationFields: {
            name: components["schemas"]["OrganisationName"];
        };
        /** @description An organisation that was founded, and the way in for its first admin. */
        OrganisationFounded: components["schemas"]["PlatformOrganisation"] & components["schemas"]["SignUpCreated"];
        /**
         * @description The name of an organisation: one line of 1 to 100 characters, without outer spaces.
         * @example Acme
         */
        OrganisationName: string;
        /**
         * @description Whether an organisation may be used.
         * @enum {string}
         */
        OrganisationStatus: "active" | "suspended";
        /** @description A page of a list. */
        Page_Activity: {
            /** @description The items. */
            items: {
                actor: components["schemas"]["Named"] | null;
                createdAt: components["schemas"]["Timestamp"];
                id: components["schemas"]["ActivityId"];
                /** @description What there is to know about it; its fields depend on the type. */
                payload: Record<string, unknown>;
                /** @description Its place in the organisation's log: 1, 2, 3 … */
                seq: components["schemas"]["Seq"];
                target: components["schemas"]["Named"] | null;
                /**
                 * @description What happened. Clients ignore types that they do not know.
                 * @example BROADCAST_MESSAGE
                 */
                type: string;
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_Administrator: {
            /** @description The items. */
            items: {
                createdAt: components["schemas"]["Timestamp"];
                email: components["schemas"]["Email"];
                id: components["schemas"]["AdministratorId"];
                name: components["schemas"]["PersonName"];
                role: components["schemas"]["AdministratorRole"];
                status: components["schemas"]["AdministratorStatus"];
                updatedAt: components["schemas"]["Timestamp"];
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_AuditEntry: {
            /** @description The items. */
            items: {
                /**
                 * @description The method and the route, or `tenant_mismatch`.
                 * @example POST /platform/organisations/{id}/suspend
                 */
                action: string;
                administratorEmail: components["schemas"]["Email"] | null;
                administratorId: components["schemas"]["AdministratorId"] | null;
                /** @description The code of a refusal. */
                code: string | null;
                createdAt: components["schemas"]["Timestamp"];
                id: components["schemas"]["AuditId"];
                ip: string | null;
                method: string;
                organisationId: components["schemas"]["OrgId"] | null;
                path: string;
                requestId: string;
                role: components["schemas"]["AdministratorRole"] | null;
                /**
                 * Format: int64
                 * @description What it was answered; null in the entry that it began, which what may change something has.
                 * @example 200
                 */
                status: number | null;
                userAgent: string | null;
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_CreditEntry: {
            /** @description The items. */
            items: {
                /**
                 * Format: int64
                 * @description What it adds to the balance.
                 */
                amount: number;
                /**
                 * Format: int64
                 * @description The balance after it.
                 */
                balance: number;
                createdAt: components["schemas"]["Timestamp"];
                kind: components["schemas"]["EntryKind"];
                messageId: components["schemas"]["MessageId"] | null;
                /** @description Why, where somebody decided it. */
                reason: string | null;
                /**
                 * Format: int64
                 * @description Its place in the ledger: 1, 2, 3 …
                 */
                seq: number;
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_Invite: {
            /** @description The items. */
            items: {
                createdAt: components["schemas"]["Timestamp"];
                email: components["schemas"]["Email"];
                expiresAt: components["schemas"]["Timestamp"];
                id: components["schemas"]["InviteId"];
                /** @description The user who invited them. */
                invitedBy: components["schemas"]["UserId"];
                name: components["schemas"]["PersonName"] | null;
                role: components["schemas"]["Role"];
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_Job: {
            /** @description The items. */
            items: {
                /**
                 * Format: int64
                 * @description How often it was begun.
                 */
                attempts: number;
                createdAt: components["schemas"]["Timestamp"];
                dueAt: components["schemas"]["Timestamp"] | null;
                id: components["schemas"]["JobId"];
                /**
                 * @description What it does.
                 * @example messages.send
                 */
                kind: string;
                /** @description Why it failed the last time. */
                lastError: string | null;
                /** Format: int64 */
                maxAttempts: number;
                state: components["schemas"]["JobState"];
                updatedAt: components["schemas"]["Timestamp"];
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_Member: {
            /** @description The items. */
            items: (components["schemas"]["User"] & {
                /** @description Whether the member has a socket open, or had one a moment ago. */
                online: boolean;
            })[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_MembershipBody: {
            /** @description The items. */
            items: {
                organisation: components["schemas"]["Organisation"];
                role: components["schemas"]["Role"];
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_Message: {
            /** @description The items. */
            items: {
                body: string;
                channel: components["schemas"]["Channel"];
                createdAt: components["schemas"]["Timestamp"];
                /** @description The user who sends it. */
                createdBy: components["schemas"]["UserId"];
                id: components["schemas"]["MessageId"];
                /**
                 * Format: int64
                 * @description What it costs, in credits.
                 */
                price: number;
                status: components["schemas"]["MessageStatus"];
                to: string;
                updatedAt: components["schemas"]["Timestamp"];
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_MessageTotals: {
            /** @description The items. */
            items: {
                organisationId: components["schemas"]["OrgId"];
                totals: components["schemas"]["MessageTotal"][];
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /** @description A page of a list. */
        Page_PlatformOrganisation: {
            /** @description The items. */
            items: {
                createdAt: components["schemas"]["Timestamp"];
                id: components["schemas"]["OrgId"];
                isolation: components["schemas"]["Isolation"];
                /**
                 * Format: int64
                 * @description How many members it has; null where this is an entry of a list.
                 * @example 1
                 */
                memberCount: number | null;
                /**
                 * Format: int64
                 * @description How many members the plan allows; null is no limit, or where this is an entry of a list.
                 * @example 3
                 */
                memberLimit: number | null;
                name: components["schemas"]["OrganisationName"];
                plan: components["schemas"]["PlanCode"];
                slug: components["schemas"]["Slug"];
                status: components["schemas"]["OrganisationStatus"];
                updatedAt: components["schemas"]["Timestamp"];
            }[];
            /** @description Where the next page begins; null where this is the last. */
            nextCursor: string | null;
        };
        /**
         * @description The name of a person: one line of 1 to 100 characters, without outer spaces.
         * @example Ana
         */
        PersonName: string;
        /**
         * @description The code of a plan, such as `FREE`: 1 to 50 characters.
         * @example PRO
         */
        PlanCode: string;
        /** @description Who of the platform signs in. */
        PlatformLogin: {
            email: components["schemas"]["Email"];
            /** Format: password */
            password: string;
        };
        /** @description An organisation as the platform sees it. */
        PlatformOrganisation: {
            createdAt: components["schemas"]["Timestamp"];
            id: components["schemas"]["OrgId"];
            isolation: components["schemas"]["Isolation"];
            /**
             * Format: int64
             * @description How many members it has; null where this is an entry of a list.
             * @example 1
             */
            memberCount: number | null;
            /**
             * Format: int64
             * @description How many members the plan allows; null is no limit, or where this is an entry of a list.
             * @example 3
             */
            memberLimit: number | null;
            name: components["schemas"]["OrganisationName"];
            plan: components["schemas"]["PlanCode"];
            slug: components["schemas"]["Slug"];
            status: components["schemas"]["OrganisationStatus"];
            updatedAt: components["schemas"]["Timestamp"];
        };
        /** @description An administrator's session: its tokens, and whose it is. */
        PlatformSession: {
            /** @description A JWT for `Authorization: Bearer`, for the platform's audience alone. */
            accessToken: string;
            administrator: components["schemas"]["Administrator"];
            /**
             * Format: int64
             * @description How long the access token lives, in seconds.
             * @example 900
             */
            expiresIn: number;
            /** @description Gets the next pair, once. */
            refreshToken: string;
            /**
             * @description Always `Bearer`.
             * @example Bearer
             */
            tokenType: string;
        };
        /** @description Who is online. */
        Presence: {
            /**
             * @description Whether that is everybody on all nodes. False while nodes cannot tell each other who is online: some
             *     may then be missing, and nobody is taken for gone.
             */
            complete: boolean;
            items: components["schemas"]["PresentUser"][];
        };
        /** @description A user who is online. */
        PresentUser: {
            name: string;
            /** @description When the user came online. Who comes back within five seconds has not been away. */
            since: components["schemas"]["Timestamp"];
            /**
             * Format: int64
             * @description How many sockets and streams the user has open on all nodes; 0 for somebody who left within the last
             *     seconds and may come back.
             * @example 1
             */
            sockets: number;
            userId: components["schemas"]["UserId"];
        };
        /** @description The body of every failure (RFC 9457). */
        Problem: {
            /**
             * @description What clients match on; it does not change.
             * @example member_limit_reached
             */
            code: string;
            /** @description What exactly is wrong, for people. */
            detail: string;
            /** @description The fields that are not acceptable, where that is the problem. */
            errors?: components["schemas"]["FieldError"][];
            /** @description The id of the request, as in the header `x-request-id`. */
            requestId?: string | null;
            /**
             * Format: int32
             * @description The HTTP status.
             * @example 403
             */
            status: number;
            /**
             * @description What the problem is called, for people.
             * @example Member limit reached
             */
            title: string;
            /**
             * @description Always `about:blank`: `code` says which problem it is.
             * @example about:blank
             */
            type: string;
        };
        /** @description A sign-up, from the person whom its token was given. */
        RedeemSignUp: {
            email: components["schemas"]["Email"];
            name: components["schemas"]["PersonName"];
            /**
             * Format: password
             * @description The account's own where the email has one, else a new one.
             */
            password: string;
            token: string;
        };
        /** @description A refresh token to be used. */
        Refresh: {
            refreshToken: string;
        };
        /** @description An organisation to found, and its first admin. */
        Register: {
            email: components["schemas"]["Email"];
            name: components["schemas"]["PersonName"];
            organisationName: components["schemas"]["OrganisationName"];
            /** Format: password */
            password: string;
        };
        /** @description A new password, and the token of an email that lets one choose it. */
        ResetPassword: {
            /** Format: password */
            password: string;
            token: string;
        };
        /**
         * @description What a user may do in an organisation.
         * @enum {string}
         */
        Role: "ADMIN" | "MEMBER";
        /** @description A message to be sent. */
        SendMessage: {
            /**
             * @description 1 to 4,096 characters.
             * @example Hello World
             */
            body: string;
            channel: components["schemas"]["Channel"];
            /**
             * @description To whom: a number as of E.164 (`sms`), an address (`email`), a device's token (`push`), a URL (`webhook`).
             * @example +1234567890
             */
            to: string;
        };
        /** @description Messages to be sent. */
        SendMessages: {
            /** @description 1 to 1,000. */
            messages: components["schemas"]["SendMessage"][];
        };
        /**
         * Format: int64
         * @description A place in an organisation's log: 1, 2, 3 … without holes, in commit order. 0 stands before the first.
         */
        Seq: number;
        /** @description A session that has begun: its tokens, who signed in, and where. */
        Session: components["schemas"]["Tokens"] & {
            organisation: components["schemas"]["Organisation"];
            user: components["schemas"]["User"];
        };
        /** @description The way in for an organisation's first admin, which is told this once. */
        SignUpCreated: {
            signUpExpiresAt: components["schemas"]["Timestamp"];
            /** @description To be handed to the first admin, for `POST /auth/sign-up`. */
            signUpToken: string;
        };
        /**
         * @description An organisation's name in addresses: 1 to 60 of `a-z`, `0-9` and `-`.
         * @example acme
         */
        Slug: string;
        /** @description One event of the stream. */
        StreamEvent: {
            /**
             * @description The frame's JSON; of `CLOSE` that of an object with `code` and `reason`.
             * @example {"type":"PONG","payload":{"seq":42}}
             */
            data: string;
            /**
             * @description `message`, where it has no name, or `CLOSE`, which is the last.
             * @example message
             */
            event?: string | null;
            /**
             * @description The position.
             * @example 42
             */
            id?: string | null;
        };
        /** @description Why an organisation is suspended. */
        SuspendOrganisation: {
            /** @description What its admins will read in the log. */
            reason: components["schemas"]["SuspensionReason"];
        };
        /**
         * @description Why an organisation is suspended: one line of 1 to 500 characters, without outer spaces.
         * @example Unpaid since March
         */
        SuspensionReason: string;
        /** @description Where to change over to. */
        Switch: {
            organisationId: components["schemas"]["OrgId"];
        };
        /**
         * Format: date-time
         * @description A moment in UTC, whole milliseconds since the Unix epoch; RFC 3339 with milliseconds as text.
         */
        Timestamp: string;
        /** @description A pair of tokens. */
        Tokens: {
            /** @description A JWT for `Authorization: Bearer` and for the socket. */
            accessToken: string;
            /**
             * Format: int64
             * @description How long the access token lives, in seconds.
             * @example 900
             */
            expiresIn: number;
            /** @description Gets the next pair, once. */
            refreshToken: string;
            /**
             * @description Always `Bearer`.
             * @example Bearer
             */
            tokenType: string;
        };
        /** @description What to change of an administrator: the role, or whether they may sign in. */
        UpdateAdministrator: {
            role?: components["schemas"]["AdministratorRole"] | null;
            status?: components["schemas"]["AdministratorStatus"] | null;
        };
        /** @description What to change of oneself: `name`, or `password` with `currentPassword`, or all three. */
        UpdateMe: {
            name: components["schemas"]["PersonName"];
        } | {
            /**
             * Format: password
             * @description The password that the account has now.
             */
            currentPassword: string;
            name?: components["schemas"]["PersonName"] | null;
            /**
             * Format: password
             * @description The new password.
             */
            password: string;
        };
        /** @description The plan to change to. */
        UpdateSubscription: {
            plan: components["schemas"]["PlanCode"];
        };
        /** @description What to change of a member. */
        UpdateUser: {
            role: components["schemas"]["Role"];
        };
        /** @description A member of an organisation. */
        User: {
            createdAt: components["schemas"]["Timestamp"];
            email: components["schemas"]["Email"];
            id: components["schemas"]["UserId"];
            name: components["schemas"]["PersonName"];
            role: components["schemas"]["Role"];
        };
        /**
         * Format: uuid
         * @description A user: an account's membership in one organisation.
         */
        UserId: string;
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
};
export type $defs = Record<string, never>;
export interface operations {
    list_activities: {
        parameters: {
            query?: {
                /** @description Only activities before this seq, newest first. Not together with `after`. */
                before?: components["schemas"]["Seq"];
                /** @description Only activities after this seq, oldest first. */
                after?: components["schemas"]["Seq"];
                /**
                 * @description The `nextCursor` of the page before: takes the place of `after` where that is given, else of
                 *     `before`.
                 */
                cursor?: string;
                /**
                 * @description Only activities of this type.
                 * @example BROADCAST_MESSAGE
                 */
                type?: string;
                /** @description Only activities of this user. */
                actorId?: components["schemas"]["UserId"];
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of activities */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Activity"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    forgot_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ForgotPassword"];
            };
        };
        responses: {
            /** @description It is sent, if anybody has this email */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description Signed in */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who is asking */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateMe"];
            };
        };
        responses: {
            /** @description As they are now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_organisations: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of them, with the role in each */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_MembershipBody"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    refresh_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Refresh"];
            };
        };
        responses: {
            /** @description The next pair */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tokens"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    register: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Register"];
            };
        };
        responses: {
            /** @description The founder is signed in */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    reset_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ResetPassword"];
            };
        };
        responses: {
            /** @description The account has this password now */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sign_up: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RedeemSignUp"];
            };
        };
        responses: {
            /** @description The admin, signed in */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    switch_organisation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Switch"];
            };
        };
        responses: {
            /** @description Signed in there */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_credits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What may be spent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Credits"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_credit_entries: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of entries */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_CreditEntry"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_jobs: {
        parameters: {
            query?: {
                /** @description Where they stand; `DEAD` unless given. */
                state?: components["schemas"]["JobState"];
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of jobs */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Job"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retry_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job */
                id: components["schemas"]["JobId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is due now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_messages: {
        parameters: {
            query?: {
                /** @description Only messages that stand there. */
                status?: components["schemas"]["MessageStatus"];
                /** @description Only messages on this channel. */
                channel?: components["schemas"]["Channel"];
                /** @description Only messages to this recipient. */
                recipient?: string;
                /** @description Only messages from then or later. */
                from?: string;
                /** @description Only messages from before then. */
                to?: string;
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of messages */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Message"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    send_message: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SendMessage"];
            };
        };
        responses: {
            /** @description It is queued */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    send_messages: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SendMessages"];
            };
        };
        responses: {
            /** @description What became of each */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchBody"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_gateways: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What messages leave through */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Gateways"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_message: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The message */
                id: components["schemas"]["MessageId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageWithAttempts"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancel_message: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The message */
                id: components["schemas"]["MessageId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It will not be sent */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_organisation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The organisation */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Organisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_organisation: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OrganisationFields"];
            };
        };
        responses: {
            /** @description It exists */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Organisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_organisation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OrganisationFields"];
            };
        };
        responses: {
            /** @description As it is now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Organisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_broadcast: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateBroadcast"];
            };
        };
        responses: {
            /** @description It is in the log and on its way */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Activity"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_presence: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who is online */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Presence"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_subscription: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateSubscription"];
            };
        };
        responses: {
            /** @description As it is now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Organisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_org: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FoundOrganisation"];
            };
        };
        responses: {
            /** @description It exists */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrganisationFounded"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_administrators: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of them */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Administrator"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_administrator: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateAdministrator"];
            };
        };
        responses: {
            /** @description They can sign in */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Administrator"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_administrator: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The administrator */
                id: components["schemas"]["AdministratorId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateAdministrator"];
            };
        };
        responses: {
            /** @description As they are now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Administrator"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_audit: {
        parameters: {
            query?: {
                /** @description About this organisation. */
                organisationId?: string;
                /** @description Of this administrator. */
                administratorId?: string;
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of entries */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AuditEntry"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    platform_login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PlatformLogin"];
            };
        };
        responses: {
            /** @description Signed in */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformSession"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    platform_logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_platform_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The administrator */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Administrator"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    platform_refresh: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Refresh"];
            };
        };
        responses: {
            /** @description The next pair */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformSession"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_message_totals: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of organisations */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_MessageTotals"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_platform_organisations: {
        parameters: {
            query?: {
                /** @description A part of the name or the slug, in any case, or the whole id. */
                search?: components["schemas"]["OrganisationName"];
                /** @description On this plan. */
                plan?: components["schemas"]["PlanCode"];
                /** @description With this status. */
                status?: components["schemas"]["OrganisationStatus"];
                /** @description This far apart from others. */
                isolation?: components["schemas"]["Isolation"];
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of them */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_PlatformOrganisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    found_organisation: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FoundOrganisation"];
            };
        };
        responses: {
            /** @description It exists */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrganisationFounded"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_platform_organisation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The organisation */
                id: components["schemas"]["OrgId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The organisation */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformOrganisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    change_organisation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The organisation */
                id: components["schemas"]["OrgId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChangeOrganisation"];
            };
        };
        responses: {
            /** @description As it is now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformOrganisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_organisation_credits: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The organisation */
                id: components["schemas"]["OrgId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What may be spent */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Credits"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    change_organisation_credits: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The organisation */
                id: components["schemas"]["OrgId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChangeCredits"];
            };
        };
        responses: {
            /** @description The entry */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreditEntry"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resume_organisation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The organisation */
                id: components["schemas"]["OrgId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is open */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformOrganisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    reissue_sign_up: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path: {
                /** @description The organisation */
                id: components["schemas"]["OrgId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NoFields"];
            };
        };
        responses: {
            /** @description The token */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignUpCreated"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    suspend_organisation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The organisation */
                id: components["schemas"]["OrgId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SuspendOrganisation"];
            };
        };
        responses: {
            /** @description It is suspended */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformOrganisation"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    open_stream: {
        parameters: {
            query?: {
                /** @description An access token, for those who can set no header, as browsers' `EventSource`. */
                token?: string;
                /** @description Resume after this seq; 0 is all that is kept. Without it the stream starts at the head. */
                after?: components["schemas"]["Seq"];
                /** @description The epoch of an earlier WELCOME. */
                epoch?: string;
                /** @description 1 asks for `USER_ONLINE` and `USER_OFFLINE`. */
                presence?: number;
            };
            header?: {
                /**
                 * @description The same as `after`, and wins over it: what browsers send when they come back by themselves. Empty is as if it
                 *     were not there.
                 */
                "Last-Event-ID"?: components["schemas"]["Seq"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events, until a `CLOSE` */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["StreamEvent"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_users: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of members */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Member"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    accept_invite: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AcceptInvite"];
            };
        };
        responses: {
            /** @description A member, and signed in */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    invite_user: {
        parameters: {
            query?: never;
            header?: {
                /**
                 * @description Names this request, so that it can be sent again without being done twice: within 24 hours the same
                 *     key with the same body is answered as it was the first time, with `Idempotency-Replayed: true`. With
                 *     another body it fails with `idempotency_key_reused`, and while the first is still running with
                 *     `idempotency_in_progress`.
                 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InviteUser"];
            };
        };
        responses: {
            /** @description The invite and its token */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InviteCreated"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_invites: {
        parameters: {
            query?: {
                /** @description The `nextCursor` of the page before. */
                cursor?: string;
                /** @description Most items on the page. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of them */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Invite"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_invite: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The invite */
                id: components["schemas"]["InviteId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It no longer counts */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_user: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The user */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description They are removed */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_user: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The user */
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateUser"];
            };
        };
        responses: {
            /** @description As they are now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description The request is refused; `code` says why. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server cannot answer it now; `code` says why. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
