"""Inputs that the orchestrators take. The document says that any JSON is an input, and most of it fails at once; what goes
on for a while is what the other routes need."""

import schemathesis

INPUTS = {
    "hello_cities": [["Tokyo", "London"], []],
    "recommend_city": [1, 2, 3],
    "reserve_ticket": [[2, 0], [2, 1], [3, 600]],
}


@schemathesis.hook
def map_case(context, case):
    inputs = INPUTS.get((case.path_parameters or {}).get("functionName"))
    # Three of four get one, and which ones is the same in every run.
    lot = len(repr(case.body)) % 4
    if inputs is not None and case.method == "POST" and lot > 0:
        case.body = inputs[lot % len(inputs)]
        case.media_type = case.media_type or "application/json"
    return case
