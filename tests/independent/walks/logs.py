"""Every operation of CloudWatch Logs that the local cloud has."""

import time

GROUP = "/walked"
ARN = f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}"


def walk(w):
    groups(w)
    streams(w)
    events(w)
    gone(w)


def groups(w):
    w("CreateLogGroup", logGroupName=GROUP, tags={"a": "b"}, logGroupClass="STANDARD", deletionProtectionEnabled=True)
    w.refused("CreateLogGroup", "ResourceAlreadyExistsException", logGroupName=GROUP)
    w.refused("CreateLogGroup", "InvalidParameterException", logGroupName="k", kmsKeyId="arn:aws:kms:us-east-1:0:key/k")
    for name in ("b", "c"):
        w("CreateLogGroup", logGroupName=f"{GROUP}/{name}")
    w.pages("DescribeLogGroups", 3, logGroupNamePrefix=GROUP)
    assert len(w("DescribeLogGroups", logGroupNamePattern="WALKED")["logGroups"]) == 3
    assert len(w("DescribeLogGroups", logGroupClass="STANDARD", logGroupIdentifiers=[ARN])["logGroups"]) == 1
    found, token = [], {}
    while token is not None:
        page = w("ListLogGroups", logGroupNamePattern="^/walk", limit=1, **token)
        found += page["logGroups"]
        token = {"nextToken": page["nextToken"]} if "nextToken" in page else None
    assert len(found) == 3, found
    assert len(w("ListLogGroups", logGroupNamePattern="^/walk", logGroupClass="STANDARD")["logGroups"]) == 3
    for member, value in {"dataSources": [{"name": "a", "type": "b"}], "fieldIndexNames": ["a"],
                          "logGroupTags": [{"key": "a", "values": ["b"]}]}.items():
        w.refused("ListLogGroups", "InvalidParameterException", **{member: value})
    w("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=14)
    w.refused("PutRetentionPolicy", "InvalidParameterException", logGroupName=GROUP, retentionInDays=2)
    assert w("DescribeLogGroups", logGroupNamePrefix=GROUP)["logGroups"][0]["retentionInDays"] == 14
    w("DeleteRetentionPolicy", logGroupName=GROUP)
    w("TagResource", resourceArn=ARN, tags={"c": "d"})
    w("UntagResource", resourceArn=ARN, tagKeys=["a"])
    assert w("ListTagsForResource", resourceArn=ARN)["tags"] == {"c": "d"}
    w("TagLogGroup", logGroupName=GROUP, tags={"e": "f"})
    w("UntagLogGroup", logGroupName=GROUP, tags=["c"])
    assert w("ListTagsLogGroup", logGroupName=GROUP)["tags"] == {"e": "f"}
    w.refused("ListTagsForResource", "ResourceNotFoundException", resourceArn=f"{ARN}-not")


def streams(w):
    for name in ("s1", "s2", "s3"):
        w("CreateLogStream", logGroupName=GROUP, logStreamName=name)
    w.refused("CreateLogStream", "ResourceAlreadyExistsException", logGroupName=GROUP, logStreamName="s1")
    w.refused("CreateLogStream", "ResourceNotFoundException", logGroupName="nobody", logStreamName="s1")
    w.pages("DescribeLogStreams", 3, logGroupName=GROUP)
    found = w("DescribeLogStreams", logGroupIdentifier=ARN, logStreamNamePrefix="s", orderBy="LogStreamName",
              descending=True)["logStreams"]
    assert [s["logStreamName"] for s in found] == ["s3", "s2", "s1"], found


def events(w):
    now = int(time.time() * 1000)
    one = {"logGroupName": GROUP, "logStreamName": "s1"}
    lines = [{"timestamp": now + n, "message": f"line {n} of {{}}"} for n in range(3)]
    w("PutLogEvents", **one, logEvents=lines, sequenceToken="any")
    w.refused("PutLogEvents", "ResourceNotFoundException", logGroupName=GROUP, logStreamName="no", logEvents=lines)
    w.refused("PutLogEvents", "InvalidParameterException", **one, logEvents=lines[::-1])
    got = w("GetLogEvents", **one, startTime=now, endTime=now + 2, startFromHead=True, limit=1)
    assert [e["message"] for e in got["events"]] == ["line 0 of {}"], got
    got = w("GetLogEvents", logGroupIdentifier=ARN, logStreamName="s1", nextToken=got["nextForwardToken"], unmask=False)
    assert [e["message"] for e in got["events"]] == ["line 1 of {}", "line 2 of {}"], got
    w.pages("FilterLogEvents", 3, logGroupName=GROUP)
    for pattern, count in {"line": 3, '"1 of"': 1, "?0 ?1": 2, "line -0": 2, "none": 0, "": 3}.items():
        found = w("FilterLogEvents", logGroupIdentifier=GROUP, filterPattern=pattern, startTime=now, endTime=now + 9,
                  logStreamNamePrefix="s", interleaved=True, unmask=False)["events"]
        assert len(found) == count, (pattern, found)
    assert w("FilterLogEvents", logGroupName=GROUP, logStreamNames=["s1"])["events"]
    structured = [{"timestamp": now + 5, "message": '{"level":"ERROR","time":12,"who":{"name":"eve"}}'}]
    w("PutLogEvents", **one, logEvents=structured)
    for pattern, count in {'{ $.level = "ERROR" }': 1, "{ $.time > 12 }": 0, '{ $.who.name = "e*" && $.time >= 12 }': 1,
                           '{ $.level = "INFO" || $.who.name IS NULL }': 0}.items():
        found = w("FilterLogEvents", logGroupName=GROUP, filterPattern=pattern)["events"]
        assert len(found) == count, (pattern, found)


def gone(w):
    w("DeleteLogStream", logGroupName=GROUP, logStreamName="s1")
    w.refused("DeleteLogStream", "ResourceNotFoundException", logGroupName=GROUP, logStreamName="s1")
    w.refused("DeleteLogGroup", "ValidationException", logGroupName=GROUP)
    w("PutLogGroupDeletionProtection", logGroupIdentifier=GROUP, deletionProtectionEnabled=False)
    for name in (GROUP, f"{GROUP}/b", f"{GROUP}/c"):
        w("DeleteLogGroup", logGroupName=name)
    w.refused("DeleteLogGroup", "ResourceNotFoundException", logGroupName=GROUP)
