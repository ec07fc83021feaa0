//! Access that changes under fire: roles, sessions, and people who come and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::house::House;
use super::publisher::{Judgement, judge};
use super::subscriber::{Session, Subscriber};
use crate::crashes::Dice;
use crate::harness::organisation::fresh_email;
use crate::harness::{Answer, Call, Client, PASSWORD, Person};

/// Before it tries again.
const PAUSE: Duration = Duration::from_millis(50);

/// A node that has not heard of the end of access by then refuses everybody: the age at which its view is
/// stale, and a second for what is slow on the way.
const ENDS_WITHIN: Duration = Duration::from_secs(6);

/// So many guests are there at a time, at most.
const GUESTS: usize = 3;

/// What was changed.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Changes {
    pub(super) roles: usize,
    pub(super) sessions: usize,
    pub(super) came: usize,
    pub(super) removed: usize,
    pub(super) invites: usize,
    /// Requests of those whose access has ended, which were refused.
    pub(super) refused: usize,
}

/// Changes who may see what in a house.
pub(super) struct Access {
    nodes: Vec<Client>,
    house: usize,
    houses: Arc<Vec<House>>,
    dice: Dice,
    changes: Changes,
    /// Those who are there, by user id.
    guests: Vec<Person>,
    /// Tokens that were ended, and when.
    ended: Vec<(Instant, String)>,
}

impl Access {
    pub(super) fn new(nodes: Vec<Client>, houses: &Arc<Vec<House>>, house: usize, seed: u64) -> Self {
        Self {
            nodes,
            house,
            houses: Arc::clone(houses),
            dice: Dice::new(seed),
            changes: Changes::default(),
            guests: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Until it is stopped.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Changes {
        let mut role = "ADMIN";
        while !stop.is_cancelled() {
            match self.dice.below(6) {
                0 | 1 => {
                    self.change_role(role).await;
                    role = if role == "ADMIN" { "MEMBER" } else { "ADMIN" };
                }
                2 => self.replace_session().await,
                3 if self.guests.len() < GUESTS => self.come().await,
                3 | 4 if !self.guests.is_empty() => self.remove().await,
                _ => self.invite_and_revoke().await,
            }
            self.expect_ended().await;
            let pause = Duration::from_millis(50 + self.dice.below(300));
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
        self.changes
    }

    fn house(&self) -> &House {
        &self.houses[self.house]
    }

    fn node(&mut self) -> Client {
        let node = self.dice.below(self.nodes.len() as u64);
        self.nodes[usize::try_from(node).unwrap()].clone()
    }

    /// Asks one node after the other until one of them has done it. `call` is told whether it may have been
    /// done already; an answer with a status of `also` means that it was.
    async fn until_done(&mut self, also: &[u16], call: impl Fn(&Client) -> Call) -> Answer {
        let mut may_be_done = false;
        loop {
            let node = self.node();
            let answer = call(&node).into_sent().await;
            if let Some(answer) = &answer
                && may_be_done
                && also.contains(&answer.status)
            {
                return answer.clone();
            }
            match judge(answer) {
                Judgement::Done(answer) => return answer,
                Judgement::Refused => {}
                Judgement::Unknown => may_be_done = true,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn change_role(&mut self, role: &str) {
        let (admin, ben) = (self.house().admin.clone(), self.house().ben.person());
        let path = format!("/users/{}", ben.id);
        self.until_done(&[], |node| node.as_user(&admin).patch(&path).json(&json!({ "role": role }))).await;
        self.changes.roles += 1;
    }

    /// Signs out, and in again.
    async fn replace_session(&mut self) {
        let lou = self.house().lou.person();
        self.until_done(&[401], |node| node.as_user(&lou).post("/auth/logout")).await;
        self.ended.push((Instant::now(), lou.access_token.clone()));
        let session = self.sign_in(&lou).await;
        self.house().lou.replace(session);
        self.changes.sessions += 1;
    }

    async fn sign_in(&mut self, person: &Person) -> Person {
        let organisation = &person.organisation_id;
        let body =
            json!({ "email": person.email, "password": person.password, "organisation": organisation });
        let answer = self.until_done(&[], |node| node.anonymous().post("/auth/login").json(&body)).await;
        Person::of(answer.json(), &person.password)
    }

    /// Somebody is invited, comes and subscribes.
    async fn come(&mut self) {
        let admin = self.house().admin.clone();
        let email = fresh_email("guest");
        let invite = self.invite(&admin, &email).await;
        let name = format!("guest {}", self.changes.came);
        let body = json!({ "token": invite["inviteToken"], "name": name, "password": PASSWORD });
        let accept = |node: &Client| node.anonymous().post("/users/accept-invite").json(&body);
        let answer = self.until_done(&[409], accept).await;
        let guest = if answer.status == 201 {
            Person::of(answer.json(), PASSWORD)
        } else {
            // The answer was lost with the session in it.
            let known = Person { email, password: PASSWORD.to_owned(), ..admin };
            self.sign_in(&known).await
        };
        // Some ask for all that there was, and some begin where they come.
        let after = (self.dice.below(3) == 0).then_some(0);
        let first = usize::try_from(self.dice.below(self.nodes.len() as u64)).unwrap();
        let subscriber = Subscriber::start(&self.nodes, first, &Session::new(guest.clone()), after);
        self.house().passing.lock().push(subscriber);
        self.guests.push(guest);
        self.changes.came += 1;
    }

    async fn invite(&mut self, admin: &Person, email: &str) -> serde_json::Value {
        let (body, key) = (json!({ "email": email }), uuid::Uuid::now_v7().to_string());
        let invite = |node: &Client| {
            node.as_user(admin).post("/users/invite").json(&body).header("idempotency-key", &key)
        };
        self.until_done(&[], invite).await.json()
    }

    async fn remove(&mut self) {
        let chosen = self.dice.below(self.guests.len() as u64);
        let guest = self.guests.swap_remove(usize::try_from(chosen).unwrap());
        let (admin, path) = (self.house().admin.clone(), format!("/users/{}", guest.id));
        self.until_done(&[404], |node| node.as_user(&admin).delete(&path)).await;
        self.ended.push((Instant::now(), guest.access_token));
        self.changes.removed += 1;
    }

    /// Nothing that a member may see.
    async fn invite_and_revoke(&mut self) {
        let admin = self.house().admin.clone();
        let invite = self.invite(&admin, &fresh_email("nobody")).await;
        let path = format!("/users/invites/{}", invite["id"].as_str().unwrap());
        self.until_done(&[404], |node| node.as_user(&admin).delete(&path)).await;
        self.changes.invites += 1;
    }

    /// Whoever lost their access long enough ago is served by nobody.
    async fn expect_ended(&mut self) {
        let now = Instant::now();
        let due = |(at, _): &mut (Instant, String)| now.duration_since(*at) >= ENDS_WITHIN;
        let due: Vec<(Instant, String)> = self.ended.extract_if(.., due).collect();
        for (_, token) in due {
            let node = self.node();
            let answer = node.with_token(&token).at(Method::GET, "/api/v1/auth/me").into_sent().await;
            let Some(answer) = answer else { continue };
            assert!([401, 503].contains(&answer.status), "one whose access has ended is served: {answer:?}");
            self.changes.refused += usize::from(answer.status == 401);
        }
    }
}
