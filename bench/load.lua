-- The requests of a round, made from the plan that BENCH_PLAN names. In its texts, $n is a number: that of a record at random,
-- or the next one where the plan says so; $word is a word of its list; $version is the version at which the record with that
-- number is by now; and $items are as many items as the plan says, each with the next number.

local plan = dofile(os.getenv("BENCH_PLAN"))
local versions = plan.versions and dofile(plan.versions)
local headers = plan.headers
local threads = {}

asked = 0 -- not local, so that `done` can read it
math.randomseed(plan.seed)

local function next_number()
   asked = asked + 1
   if plan.is_random then return math.random(plan.low, plan.high) end
   return plan.low + (plan.skip + asked - 1) % (plan.high - plan.low + 1)
end

local function written(text, number)
   local values = { n = string.format("%.0f", number), version = versions and versions[number - plan.low + 1] }
   if plan.words then values.word = plan.words[math.random(#plan.words)] end
   return (text:gsub("%$(%w+)", values))
end

local function items()
   local all = {}
   for index = 1, plan.items do all[index] = written(plan.item, next_number()) end
   return table.concat(all, ",")
end

function setup(thread)
   threads[#threads + 1] = thread
end

function request()
   if plan.item then
      return wrk.format(plan.method, plan.path, headers, plan.body[1] .. items() .. plan.body[2])
   end
   local number = next_number()
   local sent = headers
   if versions then
      sent = { ["If-Match"] = written('"$version"', number) }
      for name, value in pairs(headers) do sent[name] = value end
      versions[number - plan.low + 1] = versions[number - plan.low + 1] + 1
   elseif plan.key then
      sent = { ["Idempotency-Key"] = written(plan.key, number) }
      for name, value in pairs(headers) do sent[name] = value end
   end
   return wrk.format(plan.method, written(plan.path, number), sent, plan.body and written(plan.body, number))
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\nRESULT {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d, "asked": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, threads[1]:get("asked")))
end
