import { send } from "./send.mjs"
import { serve } from "./runtime.mjs"

await serve(send)
