import { connect } from "./connect.mjs"
import { serve } from "./runtime.mjs"

await serve(connect)
