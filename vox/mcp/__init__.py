"""The Model Context Protocol: tools, resources and prompts with which an assistant uses vox.

`server`, `stdio` and `manager` alone import the package `mcp`, which takes a second and is an extra
of vox's; nothing imports these three but who serves MCP. Jobs are asked of `client`, on both
transports.
"""
