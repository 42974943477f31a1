"""Fuzzers: mutated inputs for whatever reads foreign content, and what must hold for each of them.

`scripts/fuzz.py` runs them; tests/test_fuzzers.py runs a few inputs of each.
"""

TARGETS = {
    "sound": "fuzzing.targets.sound:Sound",
    "documents": "fuzzing.targets.documents:Documents",
    "pages": "fuzzing.targets.pages:Pages",
    "tool_files": "fuzzing.targets.tool_files:ToolFiles",
    "indexes": "fuzzing.targets.indexes:Indexes",
    "mcp": "fuzzing.targets.mcp:McpMessages",
    "calls": "fuzzing.targets.calls:Calls",
    "manifests": "fuzzing.targets.manifests:Manifests",
    "signatures": "fuzzing.targets.signatures:Signatures",
}
"""Where each fuzzer is, by name."""
