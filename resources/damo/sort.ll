; {T}: the integer; {W}: lanes of a vector; {V} = <{W} x {T}>; {M} = <{W} x i1>; {S}: the suffix of
; {V}; {B}: bytes of an element; {MIN}, {MAX}: the extremes; {base}: the longest line of a network;
; {few}, {many}: elements of samples.

; The elements that are at most the pivot go to the front of the line, their number is returned;
; the others, in their order, behind them. In `room` there is place for all of them.
define internal i64 @damo.part(ptr %p, ptr %room, i64 %n, {T} %pivot) #2 {
{partition}
}

define internal {M} @damo.below(i64 %n) #1 {
  %some = call i64 @llvm.smin.i64(i64 %n, i64 {W})
  %few = trunc i64 %some to i32
  %one = insertelement <{W} x i32> poison, i32 %few, i64 0
  %all = shufflevector <{W} x i32> %one, <{W} x i32> poison, <{W} x i32> zeroinitializer
  %below = icmp slt <{W} x i32> {iota}, %all
  ret {M} %below
}

declare {V} @llvm.experimental.vector.compress.{S}({V}, {M}, {V})
declare {V} @llvm.masked.load.{S}.p0(ptr, i32, {M}, {V})
declare void @llvm.masked.store.{S}.p0({V}, ptr, i32, {M})
declare {V} @llvm.smin.{S}({V}, {V})
declare {V} @llvm.smax.{S}({V}, {V})
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.ctlz.i64(i64, i1)
declare i{W} @llvm.ctpop.i{W}(i{W})

; An element between the others: number `rank` of `count` elements from all over the line.
define internal {T} @damo.sample(ptr %p, i64 %n, i64 %count, i64 %rank) #2 {
entry:
  %all = alloca [{many} x {T}], align 64
  %step = udiv i64 %n, %count
  %half = udiv i64 %step, 2
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %far = mul i64 %i, %step
  %at = add i64 %far, %half
  %from = getelementptr {T}, ptr %p, i64 %at
  %x = load {T}, ptr %from
  %to = getelementptr {T}, ptr %all, i64 %i
  store {T} %x, ptr %to
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %done
done:
  call void @damo.short(ptr %all, i64 %count)
  %chosen = getelementptr {T}, ptr %all, i64 %rank
  %y = load {T}, ptr %chosen
  ret {T} %y
}

; The middle between the smallest and the largest element: at least half of the values lie on either
; side, so that as many rounds as an integer has bits are enough.
define internal {T} @damo.middle(ptr %p, i64 %n) #2 {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %lo = phi {T} [ {MAX}, %entry ], [ %least, %loop ]
  %hi = phi {T} [ {MIN}, %entry ], [ %most, %loop ]
  %from = getelementptr {T}, ptr %p, i64 %i
  %x = load {T}, ptr %from
  %less = icmp slt {T} %x, %lo
  %least = select i1 %less, {T} %x, {T} %lo
  %more.than = icmp sgt {T} %x, %hi
  %most = select i1 %more.than, {T} %x, {T} %hi
  %next = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  %both = and {T} %least, %most
  %one = xor {T} %least, %most
  %half = ashr {T} %one, 1
  %mid = add {T} %both, %half
  ret {T} %mid
}

; Lines of at most {base} elements.
define internal void @damo.short(ptr %p, i64 %n) #2 {
entry:
{networks}
}

; Sorts n elements, so that the first k of them are the smallest, in order. Quicksort with a stack
; of its own, of ranges that are left: the larger part waits, so that there are at most 64.
define hidden void @{name}(ptr %p, ptr %room, i64 %n, i64 %k) #0 {
entry:
  %stack = alloca [192 x i64], align 64
  %width = call i64 @llvm.ctlz.i64(i64 %n, i1 false)
  %log = sub i64 64, %width
  %budget = mul i64 %log, 2
  br label %range
range:
  %lo = phi i64 [ 0, %entry ], [ %lo.waiting, %pop ], [ %lo.next, %split ], [ %lo, %equal ]
  %hi = phi i64 [ %n, %entry ], [ %hi.waiting, %pop ], [ %hi.next, %split ], [ %hi.less, %equal ]
  %left = phi i64 [ %budget, %entry ], [ %left.waiting, %pop ], [ %left.next, %split ], [ %left.next, %equal ]
  %top = phi i64 [ 0, %entry ], [ %top.popped, %pop ], [ %top.pushed, %split ], [ %top, %equal ]
  %len = sub i64 %hi, %lo
  %line = getelementptr {T}, ptr %p, i64 %lo
  %wanted = icmp slt i64 %lo, %k
  %some = icmp sgt i64 %len, 1
  %needed = and i1 %wanted, %some
  br i1 %needed, label %work, label %ready
work:
  %small = icmp sle i64 %len, {base}
  br i1 %small, label %short, label %choose
short:
  call void @damo.short(ptr %line, i64 %len)
  br label %ready
choose:
  %left.next = sub i64 %left, 1
  %lucky = icmp sgt i64 %left, 0
  br i1 %lucky, label %sample, label %middle
sample:
  %long = icmp sgt i64 %len, {long}
  %count = select i1 %long, i64 {many}, i64 {few}
  %asked = sub i64 %k, %lo
  %partly = icmp slt i64 %asked, %len
  %size = select i1 %partly, i64 %asked, i64 %len
  %part = udiv i64 %len, %count
  %place = udiv i64 %size, %part
  %after = add i64 %place, 1
  %median = udiv i64 %count, 2
  %rank = call i64 @llvm.smin.i64(i64 %after, i64 %median)
  %guess = call {T} @damo.sample(ptr %line, i64 %len, i64 %count, i64 %rank)
  br label %pivot
middle:
  %mid = call {T} @damo.middle(ptr %line, i64 %len)
  br label %pivot
pivot:
  %pivot.at = phi {T} [ %guess, %sample ], [ %mid, %middle ]
  %few = call i64 @damo.part(ptr %line, ptr %room, i64 %len, {T} %pivot.at)
  %all = icmp eq i64 %few, %len
  br i1 %all, label %largest, label %divide
largest:
  ; The pivot is the largest element: those that are equal to it are in their places.
  %least = icmp eq {T} %pivot.at, {MIN}
  br i1 %least, label %ready, label %less
less:
  %below = sub {T} %pivot.at, 1
  %fewer = call i64 @damo.part(ptr %line, ptr %room, i64 %len, {T} %below)
  br label %equal
equal:
  %hi.less = add i64 %lo, %fewer
  br label %range
divide:
  %mid.at = add i64 %lo, %few
  %rest = sub i64 %len, %few
  %first = icmp slt i64 %few, %rest
  %lo.next = select i1 %first, i64 %lo, i64 %mid.at
  %hi.next = select i1 %first, i64 %mid.at, i64 %hi
  %lo.push = select i1 %first, i64 %mid.at, i64 %lo
  %hi.push = select i1 %first, i64 %hi, i64 %mid.at
  br label %split
split:
  %slot = mul i64 %top, 3
  %lo.slot = getelementptr i64, ptr %stack, i64 %slot
  store i64 %lo.push, ptr %lo.slot
  %hi.slot = getelementptr i64, ptr %lo.slot, i64 1
  store i64 %hi.push, ptr %hi.slot
  %left.slot = getelementptr i64, ptr %lo.slot, i64 2
  store i64 %left.next, ptr %left.slot
  %top.pushed = add i64 %top, 1
  br label %range
ready:
  %none = icmp eq i64 %top, 0
  br i1 %none, label %done, label %pop
pop:
  %top.popped = sub i64 %top, 1
  %slot.popped = mul i64 %top.popped, 3
  %lo.from = getelementptr i64, ptr %stack, i64 %slot.popped
  %lo.waiting = load i64, ptr %lo.from
  %hi.from = getelementptr i64, ptr %lo.from, i64 1
  %hi.waiting = load i64, ptr %hi.from
  %left.from = getelementptr i64, ptr %lo.from, i64 2
  %left.waiting = load i64, ptr %left.from
  br label %range
done:
  ret void
}
