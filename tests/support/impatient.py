"""A Synapse module (homeserver.yaml: modules) for tests: Synapse's own periodic tasks run every half second instead of every
five minutes (censoring redacted events) or every minute (deleting marked state groups). The tasks themselves are Synapse's."""

INTERVAL_MS = 500

# For Synapse(settings=…).
SETTINGS = {"modules": [{"module": "support.impatient.Impatient", "config": {}}], "redaction_retention_period": "1s"}


class Impatient:
    def __init__(self, config, api):
        homeserver = api._hs
        api.looping_background_call(homeserver.get_datastores().main._censor_redactions, INTERVAL_MS, desc="censor redacted events")
        purge_events = homeserver.get_storage_controllers().purge_events
        if hasattr(purge_events, "_delete_state_groups_loop"):  # not in the oldest supported Synapse
            api.looping_background_call(purge_events._delete_state_groups_loop, INTERVAL_MS, desc="delete marked state groups")
