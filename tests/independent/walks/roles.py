"""Every operation of IAM and STS that the local cloud has."""

import json

import foreign

NAME = "walked"
OF_AWS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
TRUST = json.loads(foreign.TRUST)
TAGS = [{"Key": key, "Value": key.upper()} for key in ("a", "b", "c")]


def document(action):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def walk(w):
    roles(w)
    policies(w)
    used(w)
    gone(w)


def roles(w):
    w("CreateRole", RoleName=NAME, Path="/walks/", AssumeRolePolicyDocument=foreign.TRUST, Description="walked",
      MaxSessionDuration=7200, PermissionsBoundary=OF_AWS, Tags=TAGS)
    w.refused("CreateRole", "EntityAlreadyExists", RoleName=NAME, AssumeRolePolicyDocument=foreign.TRUST)
    w.refused("CreateRole", "MalformedPolicyDocument", RoleName="other", AssumeRolePolicyDocument="{}")
    for more in ("walked-b", "walked-c"):
        w("CreateRole", RoleName=more, Path="/walks/", AssumeRolePolicyDocument=foreign.TRUST)
    role = w("GetRole", RoleName=NAME)["Role"]
    assert role["AssumeRolePolicyDocument"] == TRUST and role["MaxSessionDuration"] == 7200, role
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == OF_AWS and role["Tags"] == TAGS, role
    w.refused("GetRole", "NoSuchEntity", RoleName="nobody")
    assert len(w("ListRoles", PathPrefix="/walks/")["Roles"]) == 3
    w.pages("ListRoles", 3)
    w.pages("ListRoleTags", 3, RoleName=NAME)
    w("TagRole", RoleName=NAME, Tags=[{"Key": "d", "Value": ""}])
    w("UntagRole", RoleName=NAME, TagKeys=["a", "d"])
    assert w("ListRoleTags", RoleName=NAME)["Tags"] == TAGS[1:]
    w("UpdateRole", RoleName=NAME, Description="changed", MaxSessionDuration=3600)
    assert w("UpdateRoleDescription", RoleName=NAME, Description="again")["Role"]["Description"] == "again"
    w("UpdateAssumeRolePolicy", RoleName=NAME, PolicyDocument=foreign.TRUST)
    w("DeleteRolePermissionsBoundary", RoleName=NAME)
    w("PutRolePermissionsBoundary", RoleName=NAME, PermissionsBoundary=OF_AWS)
    for name in ("one", "two", "three"):
        w("PutRolePolicy", RoleName=NAME, PolicyName=name, PolicyDocument=document("logs:*"))
    w.pages("ListRolePolicies", 3, RoleName=NAME)
    assert w("GetRolePolicy", RoleName=NAME, PolicyName="one")["PolicyDocument"] == json.loads(document("logs:*"))
    w.refused("GetRolePolicy", "NoSuchEntity", RoleName=NAME, PolicyName="four")
    w.refused("DeleteRole", "DeleteConflict", RoleName=NAME)
    for name in ("one", "two", "three"):
        w("DeleteRolePolicy", RoleName=NAME, PolicyName=name)
    w("ListInstanceProfilesForRole", RoleName=NAME)


def policies(w):
    made = {}
    for name in ("post", "read", "write"):
        made[name] = w("CreatePolicy", PolicyName=name, Path="/walks/", PolicyDocument=document("sqs:*"), Tags=TAGS,
                       Description="walked")["Policy"]["Arn"]
    w.refused("CreatePolicy", "EntityAlreadyExists", PolicyName="post", PolicyDocument=document("*"))
    arn = made["post"]
    policy = w("GetPolicy", PolicyArn=arn)["Policy"]
    assert (policy["Description"], policy["Tags"], policy["Path"]) == ("walked", TAGS, "/walks/"), policy
    for action in ("sns:*", "s3:*"):
        w("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document(action), SetAsDefault=True)
    w.pages("ListPolicyVersions", 3, PolicyArn=arn)
    version = w("GetPolicyVersion", PolicyArn=arn, VersionId="v3")["PolicyVersion"]
    assert version["Document"] == json.loads(document("s3:*")) and version["IsDefaultVersion"], version
    w("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v1")
    for number in ("v2", "v3"):
        w("DeletePolicyVersion", PolicyArn=arn, VersionId=number)
    w.refused("DeletePolicyVersion", "DeleteConflict", PolicyArn=arn, VersionId="v1")
    w.pages("ListPolicies", 3, Scope="Local")
    listed = w("ListPolicies", Scope="Local", OnlyAttached=False, PathPrefix="/walks/",
               PolicyUsageFilter="PermissionsPolicy")["Policies"]
    assert {p["Arn"] for p in listed} == set(made.values()), listed
    w.pages("ListPolicyTags", 3, PolicyArn=arn)
    w("TagPolicy", PolicyArn=arn, Tags=[{"Key": "d", "Value": "D"}])
    w("UntagPolicy", PolicyArn=arn, TagKeys=["a", "d"])
    for policy in made.values():
        w("AttachRolePolicy", RoleName=NAME, PolicyArn=policy)
    for role in ("walked-b", "walked-c"):
        w("AttachRolePolicy", RoleName=role, PolicyArn=arn)
    w.refused("AttachRolePolicy", "NoSuchEntity", RoleName=NAME, PolicyArn=f"{arn}-not")


def used(w):
    arn = "arn:aws:iam::000000000000:policy/walks/post"
    w.pages("ListAttachedRolePolicies", 3, RoleName=NAME)
    assert len(w("ListAttachedRolePolicies", RoleName=NAME, PathPrefix="/walks/")["AttachedPolicies"]) == 3
    w.pages("ListEntitiesForPolicy", 3, PolicyArn=arn)
    users = w("ListEntitiesForPolicy", PolicyArn=arn, EntityFilter="Role", PathPrefix="/walks/",
              PolicyUsageFilter="PermissionsPolicy")["PolicyRoles"]
    assert len(users) == 3, users
    w.refused("DeletePolicy", "DeleteConflict", PolicyArn=arn)
    # The boundary counts too: it allows what logs need, and nothing else.
    w("DeleteRolePermissionsBoundary", RoleName=NAME)
    role = f"arn:aws:iam::000000000000:role/walks/{NAME}"
    context = [{"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": ["us-east-1"], "ContextKeyType": "string"}]
    results = w("SimulatePrincipalPolicy", PolicySourceArn=role, ActionNames=["sqs:SendMessage", "s3:GetObject"],
                ResourceArns=["*"], ContextEntries=context)["EvaluationResults"]
    assert [r["EvalDecision"] for r in results] == ["allowed", "implicitDeny"], results
    assert w("GetAccountSummary")["SummaryMap"]["Roles"] >= 3


def gone(w):
    for name in ("post", "read", "write"):
        policy = f"arn:aws:iam::000000000000:policy/walks/{name}"
        for role in (NAME, "walked-b", "walked-c") if name == "post" else (NAME,):
            w("DetachRolePolicy", RoleName=role, PolicyArn=policy)
        w("DeletePolicy", PolicyArn=policy)
    w.refused("DetachRolePolicy", "NoSuchEntity", RoleName=NAME, PolicyArn=OF_AWS)
    for role in (NAME, "walked-b", "walked-c"):
        w("DeleteRole", RoleName=role)


def walk_sts(w):
    import lab

    iam = lab.client("iam", w.endpoint)
    # Nobody but the account itself may be its role.
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}]})
    arn = iam.create_role(RoleName="assumed", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert w("GetCallerIdentity")["Account"] == "000000000000"
    made = w("AssumeRole", RoleArn=arn, RoleSessionName="me", DurationSeconds=900)
    assert made["AssumedRoleUser"]["Arn"].endswith(":assumed-role/assumed/me"), made
    w.refused("AssumeRole", "AccessDenied", RoleArn=f"{arn}-not", RoleSessionName="me")
    iam.delete_role(RoleName="assumed")
