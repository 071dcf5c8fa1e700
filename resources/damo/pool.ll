; The pool of threads of a process; docs/decisions/0047-one-pool.md and 0054-two-threads.md have the
; reasons. Its memory, which is all zeros at first and never freed:
;
;     0  open: a bit for each job that workers may look at      128  epoch: counts wake-up calls
;    64  used: a bit for each job that has a caller             192  sleeping: how many workers do
;   256  level: how often the threads of a call are halved, 264 until when, 272 for how long; 280 when
;        a caller last waited for long
;   320  when a job last began without its workers awake, 328 what that has cost since they slept
;   384  workers: how many there are
;   448  jobs: how many began; 456 trial: its step, 464 when that began, 472 with which job; 480 when
;        the next one is due, 488 nanoseconds from job to job with threads, 496 for how long without
;   512  64 jobs of 4224 bytes: 0 gate, 8 body, 16 context, 24 chunks, 32 ranges, 40 taken: a bit for
;        each range that has a thread; 128 the ranges, 128 bytes apart
;
; A gate holds how many workers are inside (32 bits), above them how many may be (31), and above
; those whether the caller sleeps until nobody is. Who has passed a gate may read the job; the caller
; gives the job back when the gate is shut and nobody is inside. So a job's memory may be used again
; at once, whoever still looks at it.
;
; A range has the chunks from its low number (32 bits) to below its high one, which nobody has taken.
; Each thread takes chunks from a range of its own, then from those of others, from the other end: so
; a thread meets the same chunks in one job after the other, whose memory is near to its processor.
@damo.pool = external global [{bytes} x i8], align 128

declare i64 @syscall(i64, ...)
declare i32 @clock_gettime(i32, ptr)
declare i64 @llvm.cttz.i64(i64, i1)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare void @{pause}({pause.type})

; Nanoseconds of a clock that does not go back.
define internal i64 @damo.now() #2 {
entry:
  %time = alloca [2 x i64]
  %status = call i32 @clock_gettime(i32 1, ptr %time)
  %seconds = load i64, ptr %time
  %rest.at = getelementptr inbounds i64, ptr %time, i64 1
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %rest
  ret i64 %now
}

; Some tenths of a microsecond in which the processor's other thread has it for itself.
define internal void @damo.pause() #2 {
entry:
  br label %once
once:
  %i = phi i32 [ 0, %entry ], [ %next, %once ]
  call void @{pause}({pause.operand})
  %next = add i32 %i, 1
  %more = icmp slt i32 %next, {pauses}
  br i1 %more, label %once, label %done, !llvm.loop !0
done:
  ret void
}

; Sleeps while the word at an address is what it was, or a little.
define internal void @damo.sleep(ptr %word, i32 %was) #2 {
entry:
  %status = call i64 (i64, ...) @syscall(i64 {futex}, ptr %word, i64 128, i32 %was, ptr null, ptr null, i64 0)
  ret void
}

; Wakes up to n of those who sleep at an address.
define internal void @damo.wake(ptr %word, i32 %n) #2 {
entry:
  %status = call i64 (i64, ...) @syscall(i64 {futex}, ptr %word, i64 129, i32 %n, ptr null, ptr null, i64 0)
  ret void
}

define internal ptr @damo.job(i64 %i) #2 {
entry:
  %offset = mul i64 %i, 4224
  %start = add i64 %offset, 512
  %job = getelementptr inbounds i8, ptr @damo.pool, i64 %start
  ret ptr %job
}

; The job that a worker may join and that has the fewest workers, but for one job and where fewer
; than `fewer` are in it, with the gate as it was; -1 when there is none.
define internal { i64, i64 } @damo.neediest(i64 %but, i64 %fewer) #2 {
entry:
  %open = load atomic i64, ptr @damo.pool seq_cst, align 8
  br label %next

next:
  %bits = phi i64 [ %open, %entry ], [ %rest, %look ]
  %best = phi i64 [ -1, %entry ], [ %best.now, %look ]
  %least = phi i64 [ %fewer, %entry ], [ %least.now, %look ]
  %gate.best = phi i64 [ 0, %entry ], [ %gate.now, %look ]
  %none = icmp eq i64 %bits, 0
  br i1 %none, label %done, label %look

look:
  %i = call i64 @llvm.cttz.i64(i64 %bits, i1 true)
  %less = sub i64 %bits, 1
  %rest = and i64 %bits, %less
  %job = call ptr @damo.job(i64 %i)
  %gate = load atomic i64, ptr %job monotonic, align 8
  %inside = and i64 %gate, 4294967295
  %shifted = lshr i64 %gate, 32
  %most = and i64 %shifted, 2147483647
  %room = icmp ult i64 %inside, %most
  %fewest = icmp ult i64 %inside, %least
  %other = icmp ne i64 %i, %but
  %good.1 = and i1 %room, %fewest
  %good = and i1 %good.1, %other
  %best.now = select i1 %good, i64 %i, i64 %best
  %least.now = select i1 %good, i64 %inside, i64 %least
  %gate.now = select i1 %good, i64 %gate, i64 %gate.best
  br label %next

done:
  %result.1 = insertvalue { i64, i64 } poison, i64 %best, 0
  %result = insertvalue { i64, i64 } %result.1, i64 %gate.best, 1
  ret { i64, i64 } %result
}

; Joins the job that needs it most; its number, or -1.
define internal i64 @damo.join() #2 {
entry:
  br label %choose
choose:
  %found = call { i64, i64 } @damo.neediest(i64 -1, i64 4294967295)
  %i = extractvalue { i64, i64 } %found, 0
  %gate = extractvalue { i64, i64 } %found, 1
  %none = icmp slt i64 %i, 0
  br i1 %none, label %done, label %enter
enter:
  %job = call ptr @damo.job(i64 %i)
  %more = add i64 %gate, 1
  %pair = cmpxchg ptr %job, i64 %gate, i64 %more acquire monotonic, align 8
  %in = extractvalue { i64, i1 } %pair, 1
  br i1 %in, label %done, label %choose
done:
  ret i64 %i
}

define internal ptr @damo.range.at(ptr %job, i64 %number) #2 {
entry:
  %offset = mul i64 %number, 128
  %start = add i64 %offset, 128
  %range = getelementptr inbounds i8, ptr %job, i64 %start
  ret ptr %range
}

; Shares the chunks of a job out among ranges.
define internal void @damo.share(ptr %job, i64 %chunks, i64 %ranges) #2 {
entry:
  %size = udiv i64 %chunks, %ranges
  %larger = urem i64 %chunks, %ranges
  br label %one
one:
  %i = phi i64 [ 0, %entry ], [ %next, %one ]
  %low = phi i64 [ 0, %entry ], [ %high, %one ]
  %large = icmp ult i64 %i, %larger
  %more = zext i1 %large to i64
  %length = add i64 %size, %more
  %high = add i64 %low, %length
  %upper = shl i64 %high, 32
  %word = or i64 %upper, %low
  %range = call ptr @damo.range.at(ptr %job, i64 %i)
  store atomic i64 %word, ptr %range monotonic, align 8
  %next = add i64 %i, 1
  %again = icmp ult i64 %next, %ranges
  br i1 %again, label %one, label %done
done:
  ret void
}

; The first or the last chunk of a range, taken; -1 when there is none.
define internal i64 @damo.pick(ptr %range, i1 %first) #2 {
entry:
  br label %look
look:
  %word = load atomic i64, ptr %range monotonic, align 8
  %low = and i64 %word, 4294967295
  %high = lshr i64 %word, 32
  %some = icmp ult i64 %low, %high
  br i1 %some, label %try, label %done
try:
  %up = add i64 %word, 1
  %down = sub i64 %word, 4294967296
  %rest = select i1 %first, i64 %up, i64 %down
  %last = sub i64 %high, 1
  %chunk = select i1 %first, i64 %low, i64 %last
  %pair = cmpxchg ptr %range, i64 %word, i64 %rest monotonic monotonic, align 8
  %mine = extractvalue { i64, i1 } %pair, 1
  br i1 %mine, label %done, label %look
done:
  %result = phi i64 [ -1, %look ], [ %chunk, %try ]
  ret i64 %result
}

; A chunk for the thread of a range, taken; -1 when there is none. Ranges of even numbers are worked
; off upwards, others downwards, so that neighbours meet.
define internal i64 @damo.take(ptr %job, i64 %ranges, i64 %own) #2 {
entry:
  br label %one
one:
  %i = phi i64 [ 0, %entry ], [ %next, %more ]
  %sum = add i64 %own, %i
  %over = icmp uge i64 %sum, %ranges
  %less = sub i64 %sum, %ranges
  %number = select i1 %over, i64 %less, i64 %sum
  %range = call ptr @damo.range.at(ptr %job, i64 %number)
  %bit = and i64 %number, 1
  %even = icmp eq i64 %bit, 0
  %others = icmp ne i64 %i, 0
  %first = xor i1 %even, %others
  %chunk = call i64 @damo.pick(ptr %range, i1 %first)
  %some = icmp sge i64 %chunk, 0
  br i1 %some, label %done, label %more
more:
  %next = add i64 %i, 1
  %again = icmp ult i64 %next, %ranges
  br i1 %again, label %one, label %done
done:
  ret i64 %chunk
}

; The range that a worker takes for its own: always the same one, unless that has a thread.
define internal i64 @damo.settle(ptr %job, i64 %ranges, i64 %worker) #2 {
entry:
  %taken.at = getelementptr inbounds i8, ptr %job, i64 40
  %less = sub i64 %ranges, 1
  %turn = urem i64 %worker, %less
  %wished = add i64 %turn, 1
  br label %try
try:
  %range = phi i64 [ %wished, %entry ], [ %first, %choose ]
  %bit = shl i64 1, %range
  %before = atomicrmw or ptr %taken.at, i64 %bit monotonic, align 8
  %theirs = and i64 %before, %bit
  %mine = icmp eq i64 %theirs, 0
  br i1 %mine, label %done, label %others
others:
  %free.all = xor i64 %before, -1
  %end = shl i64 1, %ranges
  %mask = sub i64 %end, 1
  %free = and i64 %free.all, %mask
  %none = icmp eq i64 %free, 0
  br i1 %none, label %done, label %choose
choose:
  %first = call i64 @llvm.cttz.i64(i64 %free, i1 true)
  br label %try
done:
  ret i64 %range
}

; Does chunks of a job, in which the worker is, until there are none or another job has fewer
; workers; leaves it.
define internal void @damo.help(i64 %number, i64 %worker) #2 {
entry:
  %job = call ptr @damo.job(i64 %number)
  %body.at = getelementptr inbounds i8, ptr %job, i64 8
  %body = load ptr, ptr %body.at
  %context.at = getelementptr inbounds i8, ptr %job, i64 16
  %context = load ptr, ptr %context.at
  %ranges.at = getelementptr inbounds i8, ptr %job, i64 32
  %ranges = load i64, ptr %ranges.at
  %range = call i64 @damo.settle(ptr %job, i64 %ranges, i64 %worker)
  %own = shl i64 1, %number
  br label %take

take:
  %chunk = call i64 @damo.take(ptr %job, i64 %ranges, i64 %range)
  %some = icmp sge i64 %chunk, 0
  br i1 %some, label %do, label %leave

do:
  call void %body(ptr %context, i64 %chunk)
  %open = load atomic i64, ptr @damo.pool monotonic, align 8
  %alone = icmp eq i64 %open, %own
  br i1 %alone, label %take, label %compare

compare:
  %gate = load atomic i64, ptr %job monotonic, align 8
  %inside = and i64 %gate, 4294967295
  %found = call { i64, i64 } @damo.neediest(i64 %number, i64 %inside)
  %other = extractvalue { i64, i64 } %found, 0
  %stays = icmp slt i64 %other, 0
  br i1 %stays, label %take, label %give

give:
  ; Whoever comes instead goes on where this one was.
  %taken.at = getelementptr inbounds i8, ptr %job, i64 40
  %bit = shl i64 1, %range
  %rest = xor i64 %bit, -1
  %given = atomicrmw and ptr %taken.at, i64 %rest monotonic, align 8
  br label %leave

leave:
  %before = atomicrmw sub ptr %job, i64 1 acq_rel, align 8
  ; Shut, the caller asleep, and this one was the last inside.
  %awaited = icmp eq i64 %before, -9223372036854775807
  br i1 %awaited, label %call, label %done
call:
  call void @damo.wake(ptr %job, i32 1)
  br label %done
done:
  ret void
}

; What a worker does, for ever: looks for jobs, for a while after the last one without pause, and
; sleeps. Who posts a job opens it, then looks who sleeps; who goes to sleep says so, then looks for
; jobs: so one of them sees the other. The epoch was read before, so a call is not slept over.
define void @damo.work() #2 {
entry:
  %epoch.at = getelementptr inbounds i8, ptr @damo.pool, i64 128
  %sleeping.at = getelementptr inbounds i8, ptr @damo.pool, i64 192
  %workers.at = getelementptr inbounds i8, ptr @damo.pool, i64 384
  %worker = atomicrmw add ptr %workers.at, i64 1 monotonic, align 8
  ; As a batch thread: one that is woken does not take the processor from the caller that woke it.
  %priority = alloca i32
  store i32 0, ptr %priority
  %status = call i64 (i64, ...) @syscall(i64 {scheduler}, i32 0, i32 3, ptr %priority)
  br label %awake

awake:
  %start = call i64 @damo.now()
  br label %look

look:
  %found = call i64 @damo.join()
  %some = icmp sge i64 %found, 0
  br i1 %some, label %help, label %spin

spin:
  call void @damo.pause()
  %now = call i64 @damo.now()
  %waited = sub i64 %now, %start
  %soon = icmp slt i64 %waited, {spin}
  br i1 %soon, label %look, label %tired

tired:
  %epoch = load atomic i32, ptr %epoch.at acquire, align 4
  %before = atomicrmw add ptr %sleeping.at, i32 1 seq_cst, align 4
  %late = call i64 @damo.join()
  %none = icmp slt i64 %late, 0
  br i1 %none, label %sleep, label %rise

sleep:
  call void @damo.sleep(ptr %epoch.at, i32 %epoch)
  br label %rise

rise:
  %after = atomicrmw sub ptr %sleeping.at, i32 1 seq_cst, align 4
  br i1 %none, label %awake, label %help

help:
  %number = phi i64 [ %found, %look ], [ %late, %rise ]
  call void @damo.help(i64 %number, i64 %worker)
  br label %awake
}

; A job's number, taken; -1 when all are.
define internal i64 @damo.claim() #2 {
entry:
  %used.at = getelementptr inbounds i8, ptr @damo.pool, i64 64
  br label %choose
choose:
  %used = load atomic i64, ptr %used.at monotonic, align 8
  %free = xor i64 %used, -1
  %none = icmp eq i64 %free, 0
  br i1 %none, label %done, label %take
take:
  %i = call i64 @llvm.cttz.i64(i64 %free, i1 true)
  %bit = shl i64 1, %i
  %before = atomicrmw or ptr %used.at, i64 %bit acquire, align 8
  %theirs = and i64 %before, %bit
  %mine = icmp eq i64 %theirs, 0
  br i1 %mine, label %done, label %choose
done:
  %number = phi i64 [ -1, %choose ], [ %i, %take ]
  ret i64 %number
}

; Tries now and then what is faster, jobs with several threads or without, by how long it takes from
; one job to the next: where processors are far apart, as those of a virtual machine may come to be,
; work that moves between them may take longer than on one. The steps of a trial: 0 with threads, until
; the next one is due; 1 with threads, as memory comes back to them; 2 with threads, measured; 3
; without, as memory comes back; 4 without, measured; 5 without, as that was faster, for a while.
define internal void @damo.trial(i64 %now, i64 %job) #2 {
entry:
  %step.at = getelementptr inbounds i8, ptr @damo.pool, i64 456
  %start.at = getelementptr inbounds i8, ptr @damo.pool, i64 464
  %first.at = getelementptr inbounds i8, ptr @damo.pool, i64 472
  %next.at = getelementptr inbounds i8, ptr @damo.pool, i64 480
  %with.at = getelementptr inbounds i8, ptr @damo.pool, i64 488
  %stay.at = getelementptr inbounds i8, ptr @damo.pool, i64 496
  %step = load atomic i64, ptr %step.at monotonic, align 8
  %start = load atomic i64, ptr %start.at monotonic, align 8
  %first = load atomic i64, ptr %first.at monotonic, align 8
  %next = load atomic i64, ptr %next.at monotonic, align 8
  %stay = load atomic i64, ptr %stay.at monotonic, align 8
  %span = sub i64 %now, %start
  %jobs = sub i64 %job, %first
  %counted = call i64 @llvm.smax.i64(i64 %jobs, i64 1)
  %each = udiv i64 %span, %counted
  %due = icmp sge i64 %now, %next
  %enough = icmp sge i64 %jobs, 128
  switch i64 %step, label %wait [ i64 1, label %go
                                  i64 2, label %with
                                  i64 3, label %go
                                  i64 4, label %without ]
wait:
  ; Step 0 or 5.
  br i1 %due, label %begin, label %done
begin:
  br label %set
go:
  %after = add i64 %step, 1
  br label %set
with:
  br i1 %enough, label %told, label %done
told:
  store atomic i64 %each, ptr %with.at monotonic, align 8
  br label %set
without:
  br i1 %enough, label %compare, label %done
compare:
  %with.each = load atomic i64, ptr %with.at monotonic, align 8
  %tenth = udiv i64 %each, 10
  %more = add i64 %each, %tenth
  %slower = icmp sgt i64 %with.each, %more
  br i1 %slower, label %lost, label %won
lost:
  %twice = mul i64 %stay, 2
  %long = call i64 @llvm.smax.i64(i64 %twice, i64 20000000)
  %least = call i64 @llvm.smin.i64(i64 %long, i64 320000000)
  store atomic i64 %least, ptr %stay.at monotonic, align 8
  %end = add i64 %now, %least
  store atomic i64 %end, ptr %next.at monotonic, align 8
  br label %set
won:
  store atomic i64 0, ptr %stay.at monotonic, align 8
  %rest = mul i64 %span, 32
  %some = call i64 @llvm.smax.i64(i64 %rest, i64 100000000)
  %later = add i64 %now, %some
  store atomic i64 %later, ptr %next.at monotonic, align 8
  br label %set
set:
  %new = phi i64 [ 1, %begin ], [ %after, %go ], [ 3, %told ], [ 5, %lost ], [ 0, %won ]
  store atomic i64 %new, ptr %step.at monotonic, align 8
  store atomic i64 %now, ptr %start.at monotonic, align 8
  store atomic i64 %job, ptr %first.at monotonic, align 8
  br label %done
done:
  ret void
}

; How many workers a call may have that asks for so many threads: after stalls fewer, for a while.
define internal i64 @damo.others(i64 %most, i64 %now) #2 {
entry:
  %jobs.at = getelementptr inbounds i8, ptr @damo.pool, i64 448
  %trial.at = getelementptr inbounds i8, ptr @damo.pool, i64 456
  %before = atomicrmw add ptr %jobs.at, i64 1 monotonic, align 8
  %part = and i64 %before, 31
  %due = icmp eq i64 %part, 31
  br i1 %due, label %try, label %choose
try:
  call void @damo.trial(i64 %now, i64 %before)
  br label %choose
choose:
  %step = load atomic i64, ptr %trial.at monotonic, align 8
  %without = icmp sge i64 %step, 3
  br i1 %without, label %none, label %with
none:
  ; Jobs that take long are not tried, and what was found out holds for a while only.
  %start.at = getelementptr inbounds i8, ptr @damo.pool, i64 464
  %next.at = getelementptr inbounds i8, ptr @damo.pool, i64 480
  %start = load atomic i64, ptr %start.at monotonic, align 8
  %next = load atomic i64, ptr %next.at monotonic, align 8
  %found = icmp sge i64 %step, 5
  %limit = add i64 %start, 50000000
  %later = add i64 %now, 2000000000
  %last = select i1 %found, i64 %next, i64 %limit
  %again = select i1 %found, i64 %now, i64 %later
  %over = icmp sgt i64 %now, %last
  br i1 %over, label %cease, label %serial
cease:
  store atomic i64 0, ptr %trial.at monotonic, align 8
  store atomic i64 %again, ptr %next.at monotonic, align 8
  br label %with
serial:
  ret i64 0

with:
  %level.at = getelementptr inbounds i8, ptr @damo.pool, i64 256
  %until.at = getelementptr inbounds i8, ptr @damo.pool, i64 264
  %penalty.at = getelementptr inbounds i8, ptr @damo.pool, i64 272
  %all = sub i64 %most, 1
  %level = load atomic i64, ptr %level.at monotonic, align 8
  %calm = icmp eq i64 %level, 0
  br i1 %calm, label %done, label %look

look:
  %until = load atomic i64, ptr %until.at monotonic, align 8
  %still = icmp slt i64 %now, %until
  br i1 %still, label %done, label %less

less:
  %lower = sub i64 %level, 1
  store atomic i64 %lower, ptr %level.at monotonic, align 8
  %penalty = load atomic i64, ptr %penalty.at monotonic, align 8
  %end = add i64 %now, %penalty
  %more = icmp sgt i64 %lower, 0
  br i1 %more, label %extend, label %done
extend:
  store atomic i64 %end, ptr %until.at monotonic, align 8
  br label %done

done:
  %halvings = phi i64 [ 0, %with ], [ %level, %look ], [ 0, %less ], [ %lower, %extend ]
  %others = lshr i64 %all, %halvings
  ret i64 %others
}

; A caller waited so long for a worker that something else must have had the worker's processor. Where
; such waits take a quarter of the time, calls do with fewer threads: at first for twice as long, and
; when that was not enough, for twice as long as the last time.
define internal void @damo.stalled(i64 %waited, i64 %now) #2 {
entry:
  %level.at = getelementptr inbounds i8, ptr @damo.pool, i64 256
  %until.at = getelementptr inbounds i8, ptr @damo.pool, i64 264
  %penalty.at = getelementptr inbounds i8, ptr @damo.pool, i64 272
  %stall.at = getelementptr inbounds i8, ptr @damo.pool, i64 280
  %until = load atomic i64, ptr %until.at monotonic, align 8
  %stall = load atomic i64, ptr %stall.at monotonic, align 8
  store atomic i64 %now, ptr %stall.at monotonic, align 8
  %since = call i64 @llvm.smax.i64(i64 %until, i64 %stall)
  %span = sub i64 %now, %since
  %fourfold = mul i64 %waited, 4
  %often = icmp sgt i64 %fourfold, %span
  br i1 %often, label %alone, label %rare

alone:
  %before = load atomic i64, ptr %penalty.at monotonic, align 8
  %doubled = mul i64 %before, 2
  %twice = mul i64 %waited, 2
  %longer = call i64 @llvm.smax.i64(i64 %doubled, i64 %twice)
  %penalty = call i64 @llvm.smin.i64(i64 %longer, i64 {penalty})
  store atomic i64 %penalty, ptr %penalty.at monotonic, align 8
  %end = add i64 %now, %penalty
  store atomic i64 %end, ptr %until.at monotonic, align 8
  %level = load atomic i64, ptr %level.at monotonic, align 8
  %more = add i64 %level, 1
  %least = call i64 @llvm.smin.i64(i64 %more, i64 6)
  store atomic i64 %least, ptr %level.at monotonic, align 8
  ret void

rare:
  store atomic i64 0, ptr %penalty.at monotonic, align 8
  ret void
}

; Opens the gate for so many workers; how many sleep.
define internal i32 @damo.post(ptr %job, i64 %bit, i64 %most) #2 {
entry:
  %gate = shl i64 %most, 32
  store atomic i64 %gate, ptr %job release, align 8
  %opened = atomicrmw or ptr @damo.pool, i64 %bit seq_cst, align 8
  %sleeping.at = getelementptr inbounds i8, ptr @damo.pool, i64 192
  %sleeping = load atomic i32, ptr %sleeping.at seq_cst, align 4
  ret i32 %sleeping
}

; Wakes up to so many workers.
define internal void @damo.rouse(i64 %most) #2 {
entry:
  %epoch.at = getelementptr inbounds i8, ptr @damo.pool, i64 128
  %epoch = atomicrmw add ptr %epoch.at, i32 1 seq_cst, align 4
  %n = trunc i64 %most to i32
  call void @damo.wake(ptr %epoch.at, i32 %n)
  ret void
}

; Whether workers are worth a wake-up call after so many chunks, as far as these tell: what is left
; of this job, or what jobs close together have lost for want of them, takes some times as long.
define internal i1 @damo.worth(i64 %start, i64 %done, i64 %chunks) #2 {
entry:
  %last.at = getelementptr inbounds i8, ptr @damo.pool, i64 320
  %missed.at = getelementptr inbounds i8, ptr @damo.pool, i64 328
  %now = call i64 @damo.now()
  %spent = sub i64 %now, %start
  %each = udiv i64 %spent, %done
  %left = sub i64 %chunks, %done
  %rest = mul i64 %each, %left
  %long = icmp sgt i64 %rest, {worth}
  br i1 %long, label %yes, label %short

short:
  %begin = icmp eq i64 %done, 1
  br i1 %begin, label %count, label %no

count:
  %last = load atomic i64, ptr %last.at monotonic, align 8
  store atomic i64 %now, ptr %last.at monotonic, align 8
  %gap = sub i64 %start, %last
  %close = icmp slt i64 %gap, {spin}
  %before = load atomic i64, ptr %missed.at monotonic, align 8
  %kept = select i1 %close, i64 %before, i64 0
  %missed = add i64 %kept, %rest
  store atomic i64 %missed, ptr %missed.at monotonic, align 8
  %much = icmp sgt i64 %missed, {worth}
  br i1 %much, label %yes, label %no

yes:
  store atomic i64 0, ptr %missed.at monotonic, align 8
  ret i1 true
no:
  ret i1 false
}

; Shuts the gate and waits until nobody is inside: awake for a while, then asleep. The caller has
; done so many chunks since `start`.
define internal void @damo.shut(ptr %job, i64 %bit, i64 %start, i64 %done) #2 {
entry:
  %mask = xor i64 %bit, -1
  %closed = atomicrmw and ptr @damo.pool, i64 %mask monotonic, align 8
  %gate = atomicrmw and ptr %job, i64 4294967295 acq_rel, align 8
  %first = and i64 %gate, 4294967295
  %empty = icmp eq i64 %first, 0
  br i1 %empty, label %done.now, label %wait

wait:
  %begin = call i64 @damo.now()
  %spent = sub i64 %begin, %start
  %some = call i64 @llvm.smax.i64(i64 %done, i64 1)
  %each = udiv i64 %spent, %some
  %some.each = mul i64 %each, 4
  %expected = add i64 %some.each, {slack}
  %awake = call i64 @llvm.smin.i64(i64 %expected, i64 {awake})
  br label %spin

spin:
  call void @damo.pause()
  %now.gate = load atomic i64, ptr %job acquire, align 8
  %over = icmp eq i64 %now.gate, 0
  br i1 %over, label %done.now, label %clock

clock:
  %now = call i64 @damo.now()
  %waited = sub i64 %now, %begin
  %soon = icmp slt i64 %waited, %awake
  br i1 %soon, label %spin, label %tired

tired:
  %told = atomicrmw or ptr %job, i64 -9223372036854775808 acq_rel, align 8
  %inside = trunc i64 %told to i32
  %left = icmp eq i32 %inside, 0
  br i1 %left, label %late, label %sleep

sleep:
  call void @damo.sleep(ptr %job, i32 %inside)
  br label %tired

late:
  %end = call i64 @damo.now()
  %all = sub i64 %end, %begin
  %much = icmp sgt i64 %all, %expected
  br i1 %much, label %stalled, label %done.now
stalled:
  call void @damo.stalled(i64 %all, i64 %end)
  br label %done.now

done.now:
  ret void
}

define void @damo.parallel(ptr %body, ptr %context, i64 %chunks, i64 %threads) #2 {
entry:
  %most = call i64 @llvm.smin.i64(i64 %chunks, i64 %threads)
  %several = icmp sgt i64 %most, 1
  br i1 %several, label %look, label %alone

look:
  %start = call i64 @damo.now()
  %others = call i64 @damo.others(i64 %most, i64 %start)
  %company = icmp sgt i64 %others, 0
  ; A range has 32 bits for a chunk.
  %countable = icmp slt i64 %chunks, 2147483648
  %both = and i1 %company, %countable
  br i1 %both, label %claim, label %alone

claim:
  %number = call i64 @damo.claim()
  %none = icmp slt i64 %number, 0
  br i1 %none, label %alone, label %fill

fill:
  %job = call ptr @damo.job(i64 %number)
  %bit = shl i64 1, %number
  %body.at = getelementptr inbounds i8, ptr %job, i64 8
  store ptr %body, ptr %body.at
  %context.at = getelementptr inbounds i8, ptr %job, i64 16
  store ptr %context, ptr %context.at
  %together = add i64 %others, 1
  %ranges = call i64 @llvm.smin.i64(i64 %together, i64 32)
  %ranges.at = getelementptr inbounds i8, ptr %job, i64 32
  store i64 %ranges, ptr %ranges.at
  %taken.at = getelementptr inbounds i8, ptr %job, i64 40
  store atomic i64 1, ptr %taken.at monotonic, align 8
  call void @damo.share(ptr %job, i64 %chunks, i64 %ranges)
  %sleeping = call i32 @damo.post(ptr %job, i64 %bit, i64 %others)
  %asleep = icmp sgt i32 %sleeping, 0
  br i1 %asleep, label %weigh, label %take

weigh:
  ; Where chunks are many, the first ones tell whether the rest is worth waking somebody.
  %enough = mul i64 %together, 4
  %many = icmp sge i64 %chunks, %enough
  br i1 %many, label %take, label %now
now:
  call void @damo.rouse(i64 %others)
  br label %take

take:
  %own = phi i64 [ 0, %fill ], [ 0, %weigh ], [ 0, %now ], [ %one.more, %do ], [ %one.more, %ask ],
      [ %one.more, %rouse ]
  %pending = phi i1 [ false, %fill ], [ true, %weigh ], [ false, %now ], [ false, %do ],
      [ true, %ask ], [ false, %rouse ]
  %chunk = call i64 @damo.take(ptr %job, i64 %ranges, i64 0)
  %some = icmp sge i64 %chunk, 0
  br i1 %some, label %do, label %end

do:
  call void %body(ptr %context, i64 %chunk)
  %one.more = add i64 %own, 1
  br i1 %pending, label %ask, label %take
ask:
  %worth = call i1 @damo.worth(i64 %start, i64 %one.more, i64 %chunks)
  br i1 %worth, label %rouse, label %take
rouse:
  call void @damo.rouse(i64 %others)
  br label %take

end:
  call void @damo.shut(ptr %job, i64 %bit, i64 %start, i64 %own)
  %used.at = getelementptr inbounds i8, ptr @damo.pool, i64 64
  %unused = xor i64 %bit, -1
  %given = atomicrmw and ptr %used.at, i64 %unused release, align 8
  ret void

alone:
  %any = icmp sgt i64 %chunks, 0
  br i1 %any, label %one, label %done

one:
  %i = phi i64 [ 0, %alone ], [ %i.next, %one ]
  call void %body(ptr %context, i64 %i)
  %i.next = add nuw nsw i64 %i, 1
  %i.more = icmp slt i64 %i.next, %chunks
  br i1 %i.more, label %one, label %done

done:
  ret void
}

; Part number %chunk of the rounds of a loop; the context is that of damo.codegen.RangeContext. None
; begins behind one that has failed.
define internal void @damo.range(ptr %context, i64 %chunk) #2 {
entry:
  %first.at = getelementptr inbounds i64, ptr %context, i64 3
  %first = load atomic i64, ptr %first.at monotonic, align 8
  %late = icmp ugt i64 %chunk, %first
  br i1 %late, label %done, label %run

run:
  %function = load ptr, ptr %context
  %step.at = getelementptr inbounds i64, ptr %context, i64 1
  %step = load i64, ptr %step.at
  %rounds.at = getelementptr inbounds i64, ptr %context, i64 2
  %rounds = load i64, ptr %rounds.at
  %from = mul i64 %chunk, %step
  %end = add i64 %from, %step
  %to = call i64 @llvm.smin.i64(i64 %end, i64 %rounds)
  call void %function(ptr %context, i64 %from, i64 %to)
  br label %done

done:
  ret void
}

; All parts of the rounds of a loop.
define void @damo.ranges(ptr %context, i64 %threads) #2 {
entry:
  %step.at = getelementptr inbounds i64, ptr %context, i64 1
  %step = load i64, ptr %step.at
  %rounds.at = getelementptr inbounds i64, ptr %context, i64 2
  %rounds = load i64, ptr %rounds.at
  %less = sub i64 %step, 1
  %sum = add i64 %rounds, %less
  %parts = udiv i64 %sum, %step
  call void @damo.parallel(ptr @damo.range, ptr %context, i64 %parts, i64 %threads)
  ret void
}
