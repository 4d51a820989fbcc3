"""The server: MCP's requests to tools, resources and prompts, on whatever transport.

Whatever goes wrong in a tool is a line for the model. Errors that are not ours are logged without
their message, which may hold a text. Knows no transport.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import mcp.types as t
from mcp import MCPError
from mcp.server import CacheHint, ServerRequestContext
from mcp.server.lowlevel import Server

from .. import __version__
from ..errors import BadInput, VoxError
from ..paths import Paths
from ..source_names import as_source
from . import resources
from .answers import Answer, sent
from .caller import Caller
from .prompts import INSTRUCTIONS, PROMPTS
from .tools import BY_NAME, TOOLS, WAIT_S, Tool
from .waiting import Waiting, in_thread

log = logging.getLogger(__name__)

NAMELESS = "mcp"
"""The source where neither the project nor the client has a name."""
UNEXPECTED = "vox failed unexpectedly; details are in the log"
_HOUR_MS = 3_600_000

Context = ServerRequestContext[Any, Any]

# What it logs may quote what was sent.
logging.getLogger("mcp").setLevel(logging.CRITICAL)


def make_server(
    paths: Paths,
    source: str = "",
    is_leaving: Callable[[], bool] = lambda: False,
    environ: Mapping[str, str] | None = None,
) -> Server[Any]:
    """A server for any number of clients. `source`: who sends what they say; "": the client's name.

    `is_leaving`: whether this process is about to end: jobs that are waited for go on then.
    `environ`: the client's, if it is known.
    """
    handlers = _Handlers(paths, source, is_leaving, environ or {})
    return Server(
        "vox",
        version=__version__,
        title="vox",
        instructions=INSTRUCTIONS,
        cache_hints={"tools/list": CacheHint(ttl_ms=_HOUR_MS)},
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
    )


class _Handlers:
    """One method for each request of the protocol."""

    def __init__(
        self,
        paths: Paths,
        source: str,
        is_leaving: Callable[[], bool],
        environ: Mapping[str, str],
    ) -> None:
        self._paths = paths
        self._source = source
        self._is_leaving = is_leaving
        self._environ = environ
        self._waiting = Waiting()

    def _caller(self, ctx: Context) -> Caller:
        async def report(passed_s: float, message: str) -> None:
            await ctx.session.report_progress(passed_s, None, message)

        source = self._source or _client_name(ctx) or NAMELESS
        return Caller(self._paths, source, report, self._is_leaving, environ=self._environ)

    async def list_tools(self, _ctx: Context, _params: Any) -> t.ListToolsResult:
        return t.ListToolsResult(tools=[_described(tool) for tool in TOOLS])

    async def call_tool(self, ctx: Context, params: t.CallToolRequestParams) -> t.CallToolResult:
        tool = BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(t.INVALID_PARAMS, f"there is no tool {params.name[:40]!r}")
        try:
            return _result(await self._answer(self._caller(ctx), tool, params.arguments))
        except VoxError as exc:
            return _result(Answer(exc.line, {"error": exc.to_dict()}, is_error=True))
        except Exception as exc:
            _log(tool.name, exc)
            return _result(Answer(UNEXPECTED, {}, is_error=True))

    async def _answer(self, caller: Caller, tool: Tool, given: dict[str, Any] | None) -> Answer:
        """What the tool answers. Raises VoxError."""
        asked = tool.checked(given)
        try:
            made = await in_thread(tool.run, caller, asked)
            if isinstance(made, Answer):
                return made
            if asked["wait"] and made["exit_code"] is None:
                wait_s = asked["wait_s"] or WAIT_S
                return await self._waiting.until_heard(caller, made, wait_s)
            return sent(made, caller.notes)
        finally:
            caller.jobs.close()

    async def list_resources(self, _ctx: Context, _params: Any) -> t.ListResourcesResult:
        return t.ListResourcesResult(
            resources=[
                t.Resource(uri=uri, name=uri, description=about, mime_type=resources.JSON)
                for uri, about in resources.LISTED.items()
            ]
        )

    async def list_templates(self, _ctx: Context, _params: Any) -> t.ListResourceTemplatesResult:
        template = t.ResourceTemplate(
            name="job",
            uri_template=resources.JOB,
            description=resources.JOB_ABOUT,
            mime_type=resources.JSON,
        )
        return t.ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(
        self, ctx: Context, params: t.ReadResourceRequestParams
    ) -> t.ReadResourceResult:
        uri = str(params.uri)
        try:
            found = await in_thread(resources.read, self._caller(ctx), uri)
        except BadInput as exc:
            raise MCPError(t.INVALID_PARAMS, exc.line, {"uri": uri}) from None
        except VoxError as exc:
            raise MCPError(t.INTERNAL_ERROR, exc.line) from None
        except Exception as exc:
            _log("resource", exc)
            raise MCPError(t.INTERNAL_ERROR, UNEXPECTED) from None
        text = json.dumps(found, ensure_ascii=False)
        contents = t.TextResourceContents(uri=uri, text=text, mime_type=resources.JSON)
        return t.ReadResourceResult(contents=[contents])

    async def list_prompts(self, _ctx: Context, _params: Any) -> t.ListPromptsResult:
        return t.ListPromptsResult(
            prompts=[t.Prompt(name=each.name, description=each.description) for each in PROMPTS]
        )

    async def get_prompt(
        self, _ctx: Context, params: t.GetPromptRequestParams
    ) -> t.GetPromptResult:
        found = next((each for each in PROMPTS if each.name == params.name), None)
        if found is None:
            raise MCPError(t.INVALID_PARAMS, f"there is no prompt {params.name[:40]!r}")
        message = t.PromptMessage(role="user", content=t.TextContent(type="text", text=found.text))
        return t.GetPromptResult(description=found.description, messages=[message])


def _described(tool: Tool) -> t.Tool:
    # What is left out counts as destructive; of what only reads that is never asked.
    hints = t.ToolAnnotations(
        read_only_hint=tool.only_reads or None,
        destructive_hint=None if tool.only_reads or tool.destroys else False,
        open_world_hint=False,
    )
    return t.Tool(
        name=tool.name, description=tool.description, input_schema=tool.schema, annotations=hints
    )


def _result(answer: Answer) -> t.CallToolResult:
    content = [t.TextContent(type="text", text=answer.text)]
    return t.CallToolResult(
        content=list(content), structured_content=answer.data, is_error=answer.is_error
    )


def _client_name(ctx: Context) -> str:
    """The client's name in the form of a source, or ""."""
    params = ctx.session.client_params
    return as_source(params.client_info.name) if params else ""


def _log(what: str, exc: Exception) -> None:
    """Without the error's message: see above."""
    where = "".join(traceback.format_tb(exc.__traceback__))
    log.error("mcp: %s failed: %s\n%s", what, type(exc).__name__, where)
