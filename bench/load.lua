-- The requests of a round, made from the plan that BENCH_PLAN names. In its texts, $n is a number: that of a record at random,
-- or the next one where the plan says so; $word is a word of its list; $version is the version at which the record with that
-- number is by now; $items are as many items as the plan says, each with the next number; and $length is that of the body.

local plan = dofile(os.getenv("BENCH_PLAN"))
local versions = plan.versions and dofile(plan.versions)
local threads = {}

-- Makes a function of a text, since the generator takes of the machine that all share: what looks for places in each request
-- would cost more than all else here.
local function compiled(text)
   local joined = string.format("%q", text):gsub("%$(%l+)", '" .. %1 .. "')
   return assert(loadstring("return function(n, word, version, items, length) return " .. joined .. " end"))()
end

local head, body, item = compiled(plan.head), compiled(plan.body), compiled(plan.item)

asked = 0 -- not local, so that `done` can read it
math.randomseed(plan.seed)

local function next_number()
   asked = asked + 1
   if plan.is_random then return math.random(plan.low, plan.high) end
   return plan.low + (plan.skip + asked - 1) % (plan.high - plan.low + 1)
end

local function next_version(number)
   local version = versions[number - plan.low + 1]
   versions[number - plan.low + 1] = version + 1
   return version
end

local function next_items()
   local all = {}
   for index = 1, plan.items do all[index] = item(next_number()) end
   return table.concat(all, ",")
end

function setup(thread)
   threads[#threads + 1] = thread
end

function request()
   local items = plan.items > 0 and next_items()
   local number = not items and next_number()
   local word = plan.words and plan.words[math.random(#plan.words)]
   local version = versions and next_version(number)
   local sent = body(number, word, version, items)
   return head(number, word, version, items, #sent) .. sent
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\nRESULT {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d, "asked": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, threads[1]:get("asked")))
end
