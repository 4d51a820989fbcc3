// Written by `vox init`; removed by `vox init --remove`. Tells vox what happens, so that it is heard.
import { spawn } from "node:child_process"

const VOX = "@VOX@"

function tell(event, payload) {
  const child = spawn(VOX, ["hook", "@HOOK@:" + event], { stdio: ["pipe", "ignore", "ignore"], detached: true })
  child.on("error", () => {})
  child.stdin.on("error", () => {})
  child.stdin.end(JSON.stringify(payload))
  child.unref()
}

async function finished(client, id, cwd) {
  const session = await client.session.get({ path: { id } })
  if (session.data?.parentID) return // a sub-agent
  const messages = (await client.session.messages({ path: { id } })).data ?? []
  const last = messages.filter((each) => each.info?.role === "assistant").at(-1)
  if (!last || last.info.error) return
  const texts = (last.parts ?? []).filter((part) => part.type === "text" && !part.synthetic)
  tell("end", { session_id: id, cwd, text: texts.map((part) => part.text).join("\n") })
}

export const Vox = async ({ client, directory: cwd }) => ({
  event: async ({ event }) => {
    try {
      const { sessionID: id, ...rest } = event.properties ?? {}
      if (event.type === "session.idle") await finished(client, id, cwd)
      else if (event.type === "permission.asked")
        tell("permission", { session_id: id, cwd, text: rest.permission, patterns: rest.patterns })
      else if (event.type === "question.asked") tell("question", { session_id: id, cwd, questions: rest.questions })
      else if (event.type === "session.error" && rest.error?.name !== "MessageAbortedError")
        tell("error", { session_id: id, cwd, error: rest.error?.data?.message ?? rest.error?.name })
    } catch {} // the assistant goes on, whatever becomes of vox
  },
})
