"""A Synapse module (homeserver.yaml: modules) for tests: Synapse's own periodic tasks run every half second instead of every
five minutes (censoring redacted events) or every minute (deleting marked state groups). The tasks themselves are Synapse's."""

INTERVAL_MS = 500

# For Synapse(settings=…).
SETTINGS = {"modules": [{"module": "support.impatient.Impatient", "config": {}}], "redaction_retention_period": "1s"}


class Impatient:
    def __init__(self, config, api):
        homeserver = api._hs
        tasks = {
            "censor redacted events": homeserver.get_datastores().main._censor_redactions,
            "delete marked state groups": homeserver.get_storage_controllers().purge_events._delete_state_groups_loop,
        }
        for name, task in tasks.items():
            api.looping_background_call(task, INTERVAL_MS, desc=name)
