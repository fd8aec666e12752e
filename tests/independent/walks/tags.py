"""Every operation of the tagging API that the local cloud has."""

import lab

STACK = [{"Key": "msgai:stack", "Values": ["messageai-dev"]}]


def walk(w):
    w.pages("GetResources", 3)
    found = w("GetResources", TagFilters=STACK, ResourceTypeFilters=["lambda:function"])["ResourceTagMappingList"]
    assert len(found) == 3, found
    arns = [one["ResourceARN"] for one in found]
    assert len(w("GetResources", ResourceARNList=arns[:2])["ResourceTagMappingList"]) == 2
    w.pages("GetTagKeys", 1)
    w.pages("GetTagValues", 1, Key="msgai:stack")
    assert w("GetTagKeys", PaginationToken="")["TagKeys"] and w("GetTagValues", Key="a", PaginationToken="")
    changed(w, arns[0])


def changed(w, function):
    """One thing of each service, tagged in one call and untagged in another."""
    api = lab.client("apigatewayv2", w.endpoint).get_apis()["Items"][0]["ApiId"]
    group = lab.client("logs", w.endpoint).describe_log_groups()["logGroups"][0]["logGroupArn"]
    table = lab.client("dynamodb", w.endpoint).describe_table(TableName="Connections-dev")["Table"]["TableArn"]
    arns = [function, f"arn:aws:apigateway:us-east-1::/apis/{api}", group, table]
    done = w("TagResources", ResourceARNList=[*arns, f"{table}-not"], Tags={"walked": "yes"})
    assert list(done["FailedResourcesMap"]) == [f"{table}-not"], done
    walked = [{"Key": "walked", "Values": ["yes"]}]
    found = {r["ResourceARN"] for r in w("GetResources", TagFilters=walked)["ResourceTagMappingList"]}
    assert found == set(arns), found
    assert not w("UntagResources", ResourceARNList=arns, TagKeys=["walked"])["FailedResourcesMap"]
    assert not w("GetResources", TagFilters=walked)["ResourceTagMappingList"]
    w.refused("GetResources", "InvalidParameterException", TagFilters=STACK * 51)
