//! JSON bodies, as each request reads its fields.

use crate::auth::{Login, Refresh, Register, Switch, UpdateMe};
use crate::broadcast::CreateBroadcast;
use crate::credits::ChangeCredits;
use crate::error::{Code, Error};
use crate::http::{Fields, FromFields, json};
use crate::invites::{AcceptInvite, InviteUser};
use crate::messages::{SendMessages, SendOne};
use crate::organisations::{OrganisationFields, UpdateSubscription};
use crate::sign_ups::RedeemSignUp;
use crate::users::UpdateUser;

/// More than any request has of its own, with the most that are refused by name.
const MAX_ERRORS: usize = 40;

/// Reads a body; where it is not acceptable, fields are named.
fn parse<T: FromFields>(body: &serde_json::Value) -> Option<T> {
    match Fields::parse_json::<T>(body.clone()) {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            assert_eq!(error.code(), Code::ValidationFailed);
            let Error::Invalid(errors) = error else { return None };
            assert!(!errors.is_empty() && errors.len() <= MAX_ERRORS, "{errors:?}");
            assert!(errors.iter().all(|error| !error.message.is_empty()), "{errors:?}");
            None
        }
    }
}

/// A body of any request.
pub fn bodies(data: &[u8]) {
    let Ok(body) = json::parse(data, json::MAX_DEPTH) else { return };
    parse::<AcceptInvite>(&body);
    parse::<ChangeCredits>(&body);
    parse::<CreateBroadcast>(&body);
    parse::<InviteUser>(&body);
    parse::<Login>(&body);
    parse::<OrganisationFields>(&body);
    parse::<Refresh>(&body);
    parse::<Register>(&body);
    parse::<Switch>(&body);
    parse::<UpdateSubscription>(&body);
    parse::<UpdateUser>(&body);
    parse::<RedeemSignUp>(&body);
    parse::<SendMessages>(&body);
    parse::<SendOne>(&body);
    if let Some(change) = parse::<UpdateMe>(&body) {
        assert!(change.name.is_some() || change.password.is_some(), "there is something to change: {body}");
    }
}
