"""The format of tool files: the settings of each kind of tool, also as a JSON Schema for editors."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

Scalar = str | int | float | bool | None


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=False)


class Parameter(_Part):
    """A value that the model gives. A parameter with a default is optional."""

    type: Literal["string", "integer", "number", "boolean", "array"] = "string"
    description: str = ""
    default: Any = None
    optional: bool = Field(False, description="The model may leave it out; the value is then the default, or null.")
    enum: list[str | int | float] = Field(default_factory=list, description="The allowed values.")
    items: Literal["string", "integer", "number", "boolean"] = Field("string", description="Type of an array's items.")
    minimum: float | None = None
    maximum: float | None = None
    max_length: Annotated[int, Field(ge=1)] | None = None
    pattern: str | None = Field(None, description="A regular expression that the value must match.")

    @property
    def has_default(self) -> bool:
        return self.optional or "default" in self.model_fields_set


def _parameter(value: Any) -> Any:
    return {"description": value} if isinstance(value, str) else value


Parameters = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,63}$")],
        Annotated[Parameter, BeforeValidator(_parameter, json_schema_input_type=str | Parameter)],
    ],
    Field(description="By name: a description, or a mapping with further settings."),
]


class Secret(_Part):
    """A value from an environment variable or a file."""

    env: str | None = None
    file: str | None = Field(None, description="Path, relative to the file with the tool.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret needs either env or file")
        return self


Secrets = Annotated[
    dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,63}$")], Secret],
    Field(description="By name; used as {NAME} in url, query, headers, body or env. Never shown to the model."),
]


class _Running(_Part):
    timeout_s: float = Field(20.0, gt=0, le=600, description="Seconds until a call fails.")
    approval: bool = Field(False, description="Ask before each call.")
    cancellable: bool = Field(True, description="Stop when the user interrupts the turn; otherwise run to the end.")


class _Named(_Running):
    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    description: str = Field(min_length=1, description="What the tool does and when to call it, for the model.")
    phrases: list[str] = Field(default_factory=list, description="What users may say when they want this tool.")
    filler: str = Field("", description="What the model is asked to say while the tool runs.")


class Request(_Part):
    """An HTTP request, and which part of the answer to use. {name} stands for the value of a parameter."""

    url: str = Field(description="http or https. Values are escaped; the host cannot hold a placeholder.")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    query: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict, description="Null values are left out.")
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = Field(
        None,
        description="Sent as JSON, or as a form where the content-type says so. In a string, values are escaped for "
        "its content type: a form, JSON, XML; other text is sent unchanged.",
    )
    select: str | None = Field(None, description="JMESPath of the part of a JSON answer to use.")
    empty: str | None = Field(
        None, description="The answer when nothing was found: null, an empty list, or status 404."
    )


class Step(Request):
    """A request before the main one. Its answer is available as {name} or {name.field}."""

    name: str = Field(pattern=r"^[A-Za-z_]\w{0,63}$")


class HttpTool(_Named, Request):
    """A tool that sends requests to a web service."""

    kind: Literal["http"]
    parameters: Parameters = Field(default_factory=dict)
    secrets: Secrets = Field(default_factory=dict)
    steps: list[Step] = Field(default_factory=list, max_length=5)
    template: str | None = Field(
        None, description="Jinja2 template of the text for the model, with `result` and the parameters."
    )
    returns: Literal["text", "data", "audio", "voice"] | None = None
    idempotent: bool | None = Field(
        None, description="A second call does no harm. The default is true if all requests are GET."
    )
    retries: int = Field(2, ge=0, le=5, description="Further attempts when the service is down; only if idempotent.")
    cache_s: float = Field(0.0, ge=0, le=86_400, description="Seconds for which an answer to GET is reused.")
    allow_private: bool = Field(False, description="Allow the host to be on this machine or in a private network.")


class PythonTool(_Part):
    """A Python function or a Tool. Settings given here replace those of the Tool."""

    kind: Literal["python"]
    import_: str = Field(alias="import", pattern=r"^[\w.]+:[\w.]+$", description="package.module:function")
    name: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    description: str | None = None
    timeout_s: float | None = Field(None, gt=0, le=600)
    approval: bool | None = None
    cancellable: bool | None = None
    filler: str | None = None


class McpTools(_Running):
    """The tools of an MCP server."""

    kind: Literal["mcp"]
    command: list[str] | None = Field(
        None, min_length=1, description="Program and arguments of a server that uses stdio."
    )
    env: dict[str, str] = Field(default_factory=dict, description="Further environment variables of the command.")
    url: str | None = Field(None, description="URL of a server that uses streamable HTTP.")
    allow_private: bool = Field(False, description="Allow its host to be on this machine or in a private network.")
    headers: dict[str, str] = Field(default_factory=dict)
    secrets: Secrets = Field(default_factory=dict)
    include: list[str] = Field(["*"], description="Names of tools to use; * matches any characters.")
    exclude: list[str] = Field(default_factory=list, description="Names of tools to leave out.")
    prefix: str = Field(
        "", pattern=r"^([A-Za-z_][A-Za-z0-9_-]{0,31})?$", description="Put before the name of each tool."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> McpTools:
        if (self.command is None) == (self.url is None):
            raise ValueError("a server needs either command or url")
        return self


class DocumentsTool(_Named):
    """A tool that searches a folder of documents."""

    kind: Literal["documents"]
    folder: str = Field(description="Path, relative to the file with the tool.")
    k: int = Field(4, ge=1, le=20, description="Maximum number of passages in an answer.")


class CommandTool(_Named):
    """A tool that runs a program with arguments, without a shell. It only loads where commands are allowed."""

    kind: Literal["command"]
    command: list[str] = Field(min_length=1, description="Program and arguments; {name} stands for a parameter.")
    parameters: Parameters = Field(default_factory=dict)
    secrets: Secrets = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict, description="Further environment variables.")
    folder: str = Field(".", description="Working folder, relative to the file with the tool.")


AnyTool = HttpTool | PythonTool | McpTools | DocumentsTool | CommandTool
KINDS: dict[str, type[AnyTool]] = {
    "http": HttpTool, "python": PythonTool, "mcp": McpTools, "documents": DocumentsTool, "command": CommandTool,
}  # fmt: skip


class ToolFile(_Part):
    """Several tools in one file."""

    tools: list[Annotated[AnyTool, Field(discriminator="kind")]] = Field(min_length=1)


def json_schema() -> str:
    """The JSON Schema of the format; schema.json beside this file holds it."""
    one_or_more: TypeAdapter[Any] = TypeAdapter(ToolFile | Annotated[AnyTool, Field(discriminator="kind")])
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tools of agentaudio",
        **one_or_more.json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
