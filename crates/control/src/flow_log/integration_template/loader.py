"""Adds the partitions of the days before and after today to a table of flow log files."""

import datetime
import os

import boto3

KEYS = os.environ["KEYS"].split(",")
HIVE = os.environ["HIVE"] == "true"
# What glue.batch_create_partition takes in one call.
BATCH = 100


def partitions(today, days):
    """The values of KEYS, as folders have them, of every partition around a day."""
    hours = [f"{hour:02}" for hour in range(24)] if "hour" in KEYS else [None]
    for offset in range(-days, days + 1):
        day = today + datetime.timedelta(days=offset)
        for hour in hours:
            values = [f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"]
            yield values if hour is None else [*values, hour]


def handler(event, context):
    glue = boto3.client("glue")
    database, name = os.environ["DATABASE"], os.environ["TABLE"]
    storage = glue.get_table(DatabaseName=database, Name=name)["Table"]["StorageDescriptor"]
    today = datetime.datetime.now(datetime.timezone.utc).date()
    wanted = []
    for values in partitions(today, int(os.environ["DAYS"])):
        folders = [f"{key}={value}" if HIVE else value for key, value in zip(KEYS, values)]
        location = storage["Location"] + "/".join(folders) + "/"
        numbers = [str(int(value)) for value in values]
        wanted.append({"Values": numbers, "StorageDescriptor": {**storage, "Location": location}})
    for first in range(0, len(wanted), BATCH):
        answer = glue.batch_create_partition(
            DatabaseName=database, TableName=name, PartitionInputList=wanted[first : first + BATCH]
        )
        faults = [e for e in answer.get("Errors", []) if e["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException"]
        if faults:
            raise RuntimeError(f"partitions were not added: {faults}")
