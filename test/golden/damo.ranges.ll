; The pool of threads of a process; docs/decisions/0047-one-pool.md has the reasons. Its memory,
; which is all zeros at first and never freed:
;
;     0  open: a bit for each job that workers may look at      128  epoch: counts wake-up calls
;    64  used: a bit for each job that has a caller             192  sleeping: how many workers do
;   256  64 jobs of 256 bytes: 0 gate, 8 body, 16 context, 24 chunks, 128 the next chunk
;
; A gate holds how many workers are inside (32 bits), above them how many may be (31), and above
; those whether the caller sleeps until nobody is. Who has passed a gate may read the job; the caller
; gives the job back when the gate is shut and nobody is inside. So a job's memory may be used again
; at once, whoever still looks at it.
@damo.pool = external global [16640 x i8], align 128

declare i64 @syscall(i64, ...)
declare i32 @clock_gettime(i32, ptr)
declare i64 @llvm.cttz.i64(i64, i1)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.x86.sse2.pause()

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
  call void @llvm.x86.sse2.pause()
  %next = add i32 %i, 1
  %more = icmp slt i32 %next, 8
  br i1 %more, label %once, label %done, !llvm.loop !0
done:
  ret void
}

; Sleeps while the word at an address is what it was, or a little.
define internal void @damo.sleep(ptr %word, i32 %was) #2 {
entry:
  %status = call i64 (i64, ...) @syscall(i64 202, ptr %word, i64 128, i32 %was, ptr null, ptr null, i64 0)
  ret void
}

; Wakes up to n of those who sleep at an address.
define internal void @damo.wake(ptr %word, i32 %n) #2 {
entry:
  %status = call i64 (i64, ...) @syscall(i64 202, ptr %word, i64 129, i32 %n, ptr null, ptr null, i64 0)
  ret void
}

define internal ptr @damo.job(i64 %i) #2 {
entry:
  %offset = mul i64 %i, 256
  %start = add i64 %offset, 256
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

; Does chunks of a job, in which the worker is, until there are none or another job has fewer
; workers; leaves it.
define internal void @damo.help(i64 %number) #2 {
entry:
  %job = call ptr @damo.job(i64 %number)
  %body.at = getelementptr inbounds i8, ptr %job, i64 8
  %body = load ptr, ptr %body.at
  %context.at = getelementptr inbounds i8, ptr %job, i64 16
  %context = load ptr, ptr %context.at
  %chunks.at = getelementptr inbounds i8, ptr %job, i64 24
  %chunks = load i64, ptr %chunks.at
  %next = getelementptr inbounds i8, ptr %job, i64 128
  %own = shl i64 1, %number
  br label %take

take:
  %chunk = atomicrmw add ptr %next, i64 1 monotonic, align 8
  %some = icmp slt i64 %chunk, %chunks
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
  br i1 %stays, label %take, label %leave

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
  %soon = icmp slt i64 %waited, 50000
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
  call void @damo.help(i64 %number)
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

; Opens the gate for so many workers, and wakes some if any sleep.
define internal void @damo.post(ptr %job, i64 %bit, i64 %most) #2 {
entry:
  %gate = shl i64 %most, 32
  store atomic i64 %gate, ptr %job release, align 8
  %opened = atomicrmw or ptr @damo.pool, i64 %bit seq_cst, align 8
  %sleeping.at = getelementptr inbounds i8, ptr @damo.pool, i64 192
  %sleeping = load atomic i32, ptr %sleeping.at seq_cst, align 4
  %some = icmp sgt i32 %sleeping, 0
  br i1 %some, label %wake, label %done
wake:
  %epoch.at = getelementptr inbounds i8, ptr @damo.pool, i64 128
  %epoch = atomicrmw add ptr %epoch.at, i32 1 seq_cst, align 4
  %sleepers = sext i32 %sleeping to i64
  %least = call i64 @llvm.smin.i64(i64 %sleepers, i64 %most)
  %n = trunc i64 %least to i32
  call void @damo.wake(ptr %epoch.at, i32 %n)
  br label %done
done:
  ret void
}

; Shuts the gate and waits until nobody is inside: awake for a while, then asleep.
define internal void @damo.shut(ptr %job, i64 %bit) #2 {
entry:
  %mask = xor i64 %bit, -1
  %closed = atomicrmw and ptr @damo.pool, i64 %mask monotonic, align 8
  %gate = atomicrmw and ptr %job, i64 4294967295 acq_rel, align 8
  %first = and i64 %gate, 4294967295
  %empty = icmp eq i64 %first, 0
  br i1 %empty, label %done, label %wait

wait:
  %start = call i64 @damo.now()
  br label %spin

spin:
  call void @damo.pause()
  %now.gate = load atomic i64, ptr %job acquire, align 8
  %over = icmp eq i64 %now.gate, 0
  br i1 %over, label %done, label %clock

clock:
  %now = call i64 @damo.now()
  %waited = sub i64 %now, %start
  %soon = icmp slt i64 %waited, 50000
  br i1 %soon, label %spin, label %tired

tired:
  %told = atomicrmw or ptr %job, i64 -9223372036854775808 acq_rel, align 8
  %inside = trunc i64 %told to i32
  %left = icmp eq i32 %inside, 0
  br i1 %left, label %done, label %sleep

sleep:
  call void @damo.sleep(ptr %job, i32 %inside)
  br label %tired

done:
  ret void
}

define void @damo.parallel(ptr %body, ptr %context, i64 %chunks, i64 %threads) #2 {
entry:
  %most = call i64 @llvm.smin.i64(i64 %chunks, i64 %threads)
  %several = icmp sgt i64 %most, 1
  br i1 %several, label %claim, label %alone

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
  %chunks.at = getelementptr inbounds i8, ptr %job, i64 24
  store i64 %chunks, ptr %chunks.at
  %next = getelementptr inbounds i8, ptr %job, i64 128
  store atomic i64 0, ptr %next monotonic, align 8
  %others = sub i64 %most, 1
  call void @damo.post(ptr %job, i64 %bit, i64 %others)
  br label %take

take:
  %chunk = atomicrmw add ptr %next, i64 1 monotonic, align 8
  %some = icmp slt i64 %chunk, %chunks
  br i1 %some, label %do, label %end

do:
  call void %body(ptr %context, i64 %chunk)
  br label %take

end:
  call void @damo.shut(ptr %job, i64 %bit)
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

attributes #0 = { noinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
attributes #2 = { nounwind "prefer-vector-width"="512" "warn-stack-size"="65536" }
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = !{!"llvm.loop.unroll.disable"}
!3 = distinct !{!3, !4}
!4 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}
