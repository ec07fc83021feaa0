"""Who calls the hub when schemathesis does, and with what it could not invent.

Most of what schemathesis makes up is refused, and so it should be. To see real answers, too, a good part of the
cases that are right by the document get a password, a token or an id that exists, just before they are sent;
what is wrong on purpose stays as it is. Calls that end the caller's session, change a password or remove somebody
are made by or done to people who exist for that alone.

Environment: ROOMCAST_BASE, ROOMCAST_ROLE (admin or member), ROOMCAST_ANSWERS (a file for the counts).
"""

import atexit
import collections
import itertools
import json
import os

import requests
import schemathesis

BASE = os.environ["ROOMCAST_BASE"]
ROLE = os.environ["ROOMCAST_ROLE"]
PASSWORD = "a password of schemathesis"
NUMBER = itertools.count(1)


def call(method, path, body=None, token=None):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = requests.request(method, f"{BASE}/api/v1{path}", json=body, headers=headers, timeout=20)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def register():
    """The founder of an organisation with room for everybody."""
    email = f"founder.{ROLE}.{next(NUMBER)}@example.com"
    body = {"organisationName": "Acme", "name": "Ada", "email": email, "password": PASSWORD}
    session = call("POST", "/auth/register", body)
    call("PATCH", "/organisations/subscription", {"plan": "ENTERPRISE"}, session["accessToken"])
    return session


def invite(role="MEMBER"):
    email = f"somebody.{ROLE}.{next(NUMBER)}@example.com"
    return call("POST", "/users/invite", {"email": email, "role": role}, FOUNDER["accessToken"])


def join(role="MEMBER"):
    body = {"token": invite(role)["inviteToken"], "name": "Somebody", "password": PASSWORD}
    return call("POST", "/users/accept-invite", body)


def send():
    """A message of the caller's, which waits: no job runs on this hub."""
    body = {"to": "+1234567890", "channel": "sms", "body": "Hello"}
    return call("POST", "/messages", body, CALLER["accessToken"])


def log_in_operator():
    return call("POST", "/platform/auth/login", {"email": "pat@example.com", "password": PASSWORD})


def found():
    """An organisation that the platform founds, in which nobody is."""
    return call("POST", "/platform/organisations", {"name": "Founded"}, OPERATOR["accessToken"])


def log_in(session, password=PASSWORD):
    return call("POST", "/auth/login", {"email": session["user"]["email"], "password": password})


FOUNDER = register()
# Who makes the calls. The founder is not touched, so that whatever happens others can be let in.
CALLER = join(ROLE.upper())
# Who changes name and password, and who signs out: nobody else's session ends with that.
CHANGER = join(ROLE.upper())
LEAVER = join(ROLE.upper())
REFRESHER = join(ROLE.upper())
# Where plans change: with few members, so that each plan is large enough.
SMALL = register()
# Who is promoted and demoted.
TARGET = join()
# Where the caller may go, too.
SECOND = call("POST", "/organisations", {"name": "Second"}, CALLER["accessToken"])

# Which is looked at.
MESSAGE = send()
# To whom a message may be, by its channel. Nothing leaves: webhooks go to no private address.
RECIPIENTS = {"sms": "+1234567890", "email": "bo@example.com", "push": "fcm:abc", "webhook": "http://127.0.0.1/"}
# Who calls at the platform, and who only renews a session there. Calls that end one have another.
OPERATOR = log_in_operator()
operator_refresh_token = log_in_operator()["refreshToken"]
# Whose role and status change.
COLLEAGUE = call(
    "POST",
    "/platform/administrators",
    {"email": f"colleague.{ROLE}@example.com", "name": "Sue", "role": "support", "password": PASSWORD},
    OPERATOR["accessToken"],
)
# An organisation to change and to suspend, and one in which nobody signs up.
FOUNDED = found()
EMPTY = found()
# Those whose members call. Their ids are tried where an answer had one, and nobody is to suspend them.
OWN = {session["organisation"]["id"] for session in (FOUNDER, SMALL)} | {SECOND["id"]}

passwords = {"update_me": PASSWORD}
refresh_token = REFRESHER["refreshToken"]
plans = itertools.cycle(["PRO", "FREE", "ENTERPRISE"])
turns = collections.Counter()
answers = collections.defaultdict(collections.Counter)


# What to change where a case would change nothing.
CHANGES = {"update_administrator": {"role": "support"}, "change_organisation": {"name": "Renamed"}}


def operation_id(case):
    return case.operation.definition.raw["operationId"]


def is_of_platform(case):
    return "administrator" in str(case.operation.definition.raw.get("security"))


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """The token for each call: mostly the caller's."""

    def get(self, case, context):
        match operation_id(case):
            case "logout":
                return log_in(LEAVER)["accessToken"]
            case "update_me":
                return CHANGER["accessToken"]
            case "update_subscription" if ROLE == "admin":
                return SMALL["accessToken"]
            case "platform_logout":
                return log_in_operator()["accessToken"]
        if is_of_platform(case):
            return OPERATOR["accessToken"]
        return CALLER["accessToken"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


def one_in(count, name):
    """True for every so many-th case of an operation, beginning with the first."""
    turns[name] += 1
    return turns[name] % count == 1


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode.is_negative or case.method != case.operation.method.upper():
        return
    name, body, query = operation_id(case), case.body, case.query or {}
    admin = ROLE == "admin"
    # An idempotency key is for one request, and these are many. The administrator is the same in both roles' runs.
    for header in [header for header in case.headers or {} if header.lower() == "idempotency-key"]:
        case.headers[header] = f"schemathesis-{ROLE}-{next(NUMBER)}"
    # A cursor is what the server gave.
    query.pop("cursor", None)
    if "before" in query:
        query.pop("after", None)
    # A change names what changes: the document cannot say that not all of it may be left out.
    if name in CHANGES and all(value is None for value in body.values()):
        body.update(CHANGES[name])
    if is_of_platform(case) and (case.path_parameters or {}).get("id") in OWN:
        case.path_parameters["id"] = FOUNDED["id"]
    match name:
        case "login" if one_in(2, name):
            body.update(email=CALLER["user"]["email"], password=PASSWORD, organisation=FOUNDER["organisation"]["slug"])
        case "refresh_tokens" if one_in(2, name):
            body["refreshToken"] = refresh_token
        case "switch_organisation" if one_in(2, name):
            body["organisationId"] = SECOND["id"]
        case "update_me" if "password" in body and one_in(2, name):
            body["currentPassword"] = passwords[name]
        case "update_subscription":
            body["plan"] = next(plans)
        case "accept_invite" if one_in(3, name):
            body["token"] = invite()["inviteToken"]
        case "send_message":
            body["to"] = RECIPIENTS[body["channel"]]
        case "get_message" if one_in(2, name):
            case.path_parameters["id"] = MESSAGE["id"]
        case "cancel_message" if one_in(5, name):
            case.path_parameters["id"] = send()["id"]
        case "sign_up" if one_in(3, name):
            body["token"] = found()["signUpToken"]
        case "found_organisation" | "create_org":
            # Plans are those that there are, and SQLite, which this is, has no schemas.
            if body.get("plan") is not None:
                body["plan"] = next(plans)
            if body.get("isolation") == "schema":
                body["isolation"] = "database"
        case "change_organisation":
            if body.get("plan") is not None:
                body["plan"] = next(plans)
            if one_in(2, name):
                case.path_parameters["id"] = FOUNDED["id"]
        case "get_platform_organisation" | "suspend_organisation" | "resume_organisation" if one_in(2, name):
            case.path_parameters["id"] = FOUNDED["id"]
        case "get_organisation_credits" if one_in(2, name):
            case.path_parameters["id"] = FOUNDED["id"]
        case "change_organisation_credits":
            # A top-up of some is what an organisation without any takes.
            body.update(kind="TOP_UP", amount=abs(body["amount"]) or 1)
            if one_in(2, name):
                case.path_parameters["id"] = FOUNDED["id"]
        case "reissue_sign_up" if one_in(2, name):
            case.path_parameters["id"] = EMPTY["id"]
        case "create_administrator" if one_in(2, name):
            # Those of the other role's run are there already.
            body["email"] = f"administrator.{ROLE}.{next(NUMBER)}@example.com"
        case "update_administrator" if one_in(2, name):
            case.path_parameters["id"] = COLLEAGUE["id"]
        case "platform_login" if one_in(2, name):
            body.update(email="pat@example.com", password=PASSWORD)
        case "platform_refresh" if one_in(2, name):
            body["refreshToken"] = operator_refresh_token
        case "delete_invite" if admin and one_in(2, name):
            case.path_parameters["id"] = invite()["id"]
        case "delete_user" if admin and one_in(3, name):
            case.path_parameters["id"] = join()["user"]["id"]
        case "update_user" if admin and one_in(2, name):
            case.path_parameters["id"] = TARGET["user"]["id"]


@schemathesis.hook
def after_call(context, case, response):
    global refresh_token, operator_refresh_token
    name, status = operation_id(case), response.status_code
    # Also calls with another method come here; they are no calls of the operation.
    if case.method == case.operation.method.upper():
        answers[name][f"{status // 100}xx"] += 1
    if status == 200 and name == "refresh_tokens":
        refresh_token = response.json()["refreshToken"]
    if status == 200 and name == "platform_refresh":
        operator_refresh_token = response.json()["refreshToken"]
    if status == 200 and name == "update_me" and "password" in case.body:
        passwords[name] = case.body["password"]


# What the server takes although the document has it otherwise, out of kindness: names and addresses may have
# spaces around them, and null is as if a field were not there; so is the empty Last-Event-ID of a browser that has
# seen no event.
@schemathesis.hook
def filter_case(context, case):
    headers = {name.lower(): value for name, value in (case.headers or {}).items()}
    if str(headers.get("last-event-id", "0")).strip() == "":
        return False
    if not isinstance(case.body, dict):
        return True
    texts = [value for value in case.body.values() if isinstance(value, str)]
    return all(text == text.strip() for text in texts)


@atexit.register
def write_answers():
    with open(os.environ["ROOMCAST_ANSWERS"], "w") as file:
        json.dump(answers, file)
