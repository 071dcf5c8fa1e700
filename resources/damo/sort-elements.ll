entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %small = phi i64 [ 0, %entry ], [ %smaller, %loop ]
  %from = getelementptr {T}, ptr %p, i64 %i
  %x = load {T}, ptr %from
  %to = getelementptr {T}, ptr %p, i64 %small
  store {T} %x, ptr %to
  %large = sub i64 %i, %small
  %away = getelementptr {T}, ptr %room, i64 %large
  store {T} %x, ptr %away
  %le = icmp sle {T} %x, %pivot
  %one = zext i1 %le to i64
  %smaller = add i64 %small, %one
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %rest
rest:
  %back = sub i64 %n, %smaller
  %behind = getelementptr {T}, ptr %p, i64 %smaller
  %none = icmp eq i64 %back, 0
  br i1 %none, label %done, label %copy
copy:
  %j = phi i64 [ 0, %rest ], [ %j.next, %copy ]
  %source = getelementptr {T}, ptr %room, i64 %j
  %z = load {T}, ptr %source
  %target = getelementptr {T}, ptr %behind, i64 %j
  store {T} %z, ptr %target
  %j.next = add i64 %j, 1
  %again = icmp slt i64 %j.next, %back
  br i1 %again, label %copy, label %done
done:
  ret i64 %smaller
