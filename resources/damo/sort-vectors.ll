entry:
  %one = insertelement {V} poison, {T} %pivot, i64 0
  %limit = shufflevector {V} %one, {V} poison, <{W} x i32> zeroinitializer
  %full = and i64 %n, -{W}
  %any = icmp sgt i64 %full, 0
  br i1 %any, label %loop, label %rest
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %small = phi i64 [ 0, %entry ], [ %smaller, %loop ]
  %from = getelementptr {T}, ptr %p, i64 %i
  %x = load {V}, ptr %from, align {B}
  %le = icmp sle {V} %x, %limit
  %gt = xor {M} %le, splat (i1 true)
  %low = call {V} @llvm.experimental.vector.compress.{S}({V} %x, {M} %le, {V} poison)
  %high = call {V} @llvm.experimental.vector.compress.{S}({V} %x, {M} %gt, {V} poison)
  %to = getelementptr {T}, ptr %p, i64 %small
  store {V} %low, ptr %to, align {B}
  %large = sub i64 %i, %small
  %away = getelementptr {T}, ptr %room, i64 %large
  store {V} %high, ptr %away, align {B}
  %word = bitcast {M} %le to i{W}
  %ones = call i{W} @llvm.ctpop.i{W}(i{W} %word)
  %count = zext i{W} %ones to i64
  %smaller = add i64 %small, %count
  %next = add i64 %i, {W}
  %more = icmp slt i64 %next, %full
  br i1 %more, label %loop, label %rest
rest:
  %s = phi i64 [ 0, %entry ], [ %smaller, %loop ]
  %left = sub i64 %n, %full
  %there = call {M} @damo.below(i64 %left)
  %rest.from = getelementptr {T}, ptr %p, i64 %full
  %y = call {V} @llvm.masked.load.{S}.p0(ptr %rest.from, i32 {B}, {M} %there, {V} %limit)
  %y.low = icmp sle {V} %y, %limit
  %y.le = and {M} %y.low, %there
  %y.high = icmp sgt {V} %y, %limit
  %y.gt = and {M} %y.high, %there
  %low.y = call {V} @llvm.experimental.vector.compress.{S}({V} %y, {M} %y.le, {V} poison)
  %high.y = call {V} @llvm.experimental.vector.compress.{S}({V} %y, {M} %y.gt, {V} poison)
  %word.y = bitcast {M} %y.le to i{W}
  %ones.y = call i{W} @llvm.ctpop.i{W}(i{W} %word.y)
  %count.y = zext i{W} %ones.y to i64
  %to.y = getelementptr {T}, ptr %p, i64 %s
  %mask.low = call {M} @damo.below(i64 %count.y)
  call void @llvm.masked.store.{S}.p0({V} %low.y, ptr %to.y, i32 {B}, {M} %mask.low)
  %large.y = sub i64 %full, %s
  %away.y = getelementptr {T}, ptr %room, i64 %large.y
  %others = sub i64 %left, %count.y
  %mask.high = call {M} @damo.below(i64 %others)
  call void @llvm.masked.store.{S}.p0({V} %high.y, ptr %away.y, i32 {B}, {M} %mask.high)
  %total = add i64 %s, %count.y
  %back = sub i64 %n, %total
  %behind = getelementptr {T}, ptr %p, i64 %total
  %none = icmp eq i64 %back, 0
  br i1 %none, label %done, label %copy
copy:
  %j = phi i64 [ 0, %rest ], [ %j.next, %copy ]
  %missing = sub i64 %back, %j
  %mask = call {M} @damo.below(i64 %missing)
  %source = getelementptr {T}, ptr %room, i64 %j
  %z = call {V} @llvm.masked.load.{S}.p0(ptr %source, i32 {B}, {M} %mask, {V} %limit)
  %target = getelementptr {T}, ptr %behind, i64 %j
  call void @llvm.masked.store.{S}.p0({V} %z, ptr %target, i32 {B}, {M} %mask)
  %j.next = add i64 %j, {W}
  %again = icmp slt i64 %j.next, %back
  br i1 %again, label %copy, label %done
done:
  ret i64 %total
