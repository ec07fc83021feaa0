"""How each operation was answered: report.py DOCUMENT ANSWERS ROLE. Fails if one was left out, or if none of the
answers to something that the role may do was a success."""

import json
import sys

document, answers, role = sys.argv[1:]
with open(document) as file:
    document = json.load(file)
with open(answers) as file:
    answers = json.load(file)

METHODS = {"get", "put", "post", "delete", "patch"}
operations = {
    operation["operationId"]: f"{method.upper()} {path}"
    for path, item in document["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}
# What a member may not do. That they may not is checked, too: a success would be a hole.
ADMINS = {
    "create_broadcast",
    "delete_invite",
    "delete_user",
    "invite_user",
    "list_credit_entries",
    "list_invites",
    "list_jobs",
    "list_users",
    "retry_job",
    "update_organisation",
    "update_subscription",
    "update_user",
}

# What there is nothing for: a job is dead once hubs have died over it several times; this hub sends no emails, so
# nobody has a token of one.
NEVER = {"forgot_password", "reset_password", "retry_job"}

# Calls of an operation, at the least. One without parameters has little that could be varied, besides who calls.
LEAST = 50

wrong = [f"{name} is no operation of the document any more" for name in (ADMINS | NEVER) - operations.keys()]
print(f"{'as ' + role:<16} {'':<36} {'2xx':>6} {'4xx':>6} {'5xx':>6}")
for name, where in sorted(operations.items(), key=lambda item: item[1].split(" ")[1]):
    counts = answers.get(name, {})
    print(f"    {where:<48} {counts.get('2xx', 0):>6} {counts.get('4xx', 0):>6} {counts.get('5xx', 0):>6}")
    forbidden = role == "member" and name in ADMINS
    if forbidden and counts.get("2xx"):
        wrong.append(f"{where} did what only admins may")
    if not forbidden and name not in NEVER and not counts.get("2xx"):
        wrong.append(f"{where} never succeeded")
    if counts.get("5xx"):
        wrong.append(f"{where} failed {counts['5xx']} times")
for name, where in operations.items():
    if sum(answers.get(name, {}).values()) < LEAST:
        wrong.append(f"{where} was called fewer than {LEAST} times")
covered = operations.keys() & {name for name, counts in answers.items() if counts}
print(f"operations covered {len(covered)} = operations in the document {len(operations)}, as {role}")
if len(covered) != len(operations):
    wrong += [f"{operations[name]} was left out" for name in operations.keys() - covered]
print("".join(f"WRONG, as {role}: {one}\n" for one in wrong), end="")
sys.exit(bool(wrong))
