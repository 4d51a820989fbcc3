// Written by `vox init`; removed by `vox init --remove`. Tells vox what happens, so that it is heard.
import { spawn } from "node:child_process"

const VOX = "@VOX@"

export default function (amp: any) {
  amp.on("agent.end", (event: any) => {
    try {
      if (event.status === "cancelled") return
      const last = [...(event.messages ?? [])].reverse().find((each: any) => each.role === "assistant")
      const texts = (last?.content ?? []).filter((block: any) => block.type === "text").map((block: any) => block.text)
      const payload = { session_id: event.thread?.id, cwd: process.cwd(), status: event.status, text: texts.join("\n") }
      const child = spawn(VOX, ["hook", "@HOOK@:end"], { stdio: ["pipe", "ignore", "ignore"], detached: true })
      child.on("error", () => {})
      child.stdin.on("error", () => {})
      child.stdin.end(JSON.stringify(payload))
      child.unref()
    } catch {} // the assistant goes on, whatever becomes of vox
  })
}
