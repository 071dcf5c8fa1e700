; damo program test
define i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure) #2 {
entry:
  %t0 = getelementptr inbounds i64, ptr %dims, i64 0
  %t1 = load i64, ptr %t0
  %t2 = getelementptr inbounds ptr, ptr %buffers, i64 0
  %t3 = load ptr, ptr %t2
  %t4 = getelementptr inbounds ptr, ptr %buffers, i64 1
  %t5 = load ptr, ptr %t4
  %t6 = getelementptr inbounds ptr, ptr %buffers, i64 2
  %t7 = load ptr, ptr %t6
  %t8 = getelementptr inbounds ptr, ptr %buffers, i64 3
  %t9 = load ptr, ptr %t8
  %t10 = getelementptr inbounds float, ptr %t3, i64 0
  %t11 = getelementptr inbounds float, ptr %t5, i64 0
  %t12 = getelementptr inbounds float, ptr %t7, i64 0
  %t16 = mul i64 %t1, 784
  %t17 = icmp sle i64 %t16, 65536
  br i1 %t17, label %narrow.13, label %wide.14
narrow.13:
  call void @damo.narrow.f32.10(i64 %t1, i64 784, float 0x3ff0000000000000, ptr %t10, i64 784, i64 1, ptr %t11, i64 10, float 0x0000000000000000, ptr %t12, i64 10)
  br label %done.15
wide.14:
  call void @damo.gemm.f32(i64 %t1, i64 10, i64 784, float 0x3ff0000000000000, ptr %t10, i64 784, i64 1, ptr %t11, i64 10, i64 1, float 0x0000000000000000, ptr %t12, i64 10)
  br label %done.15
done.15:
  ret i32 0
}

define i32 @damo_repeat(ptr %buffers, ptr %dims, ptr %failure, i64 %n) #2 {
entry:
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %fine ]
  %status = call i32 @damo_call(ptr %buffers, ptr %dims, ptr %failure)
  %ok = icmp eq i32 %status, 0
  br i1 %ok, label %fine, label %done
fine:
  %next = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  %result = phi i32 [ 0, %entry ], [ 0, %fine ], [ %status, %loop ]
  ret i32 %result
}

define internal void @damo.narrow.f32.10(i64 %m, i64 %k, float %alpha, ptr noalias nocapture readonly %a, i64 %a.row, i64 %a.col, ptr noalias nocapture readonly %b, i64 %b.row, float %beta, ptr noalias nocapture %c, i64 %c.row) #0 {
entry:
  br label %rows.0
block.1:
  %t5 = add nuw nsw i64 %t3, 0
  %t6 = mul nsw i64 %t5, %a.row
  %t7 = getelementptr inbounds float, ptr %a, i64 %t6
  %t8 = mul nsw i64 %t5, %c.row
  %t9 = getelementptr inbounds float, ptr %c, i64 %t8
  %t10 = add nuw nsw i64 %t3, 1
  %t11 = mul nsw i64 %t10, %a.row
  %t12 = getelementptr inbounds float, ptr %a, i64 %t11
  %t13 = mul nsw i64 %t10, %c.row
  %t14 = getelementptr inbounds float, ptr %c, i64 %t13
  %t15 = add nuw nsw i64 %t3, 2
  %t16 = mul nsw i64 %t15, %a.row
  %t17 = getelementptr inbounds float, ptr %a, i64 %t16
  %t18 = mul nsw i64 %t15, %c.row
  %t19 = getelementptr inbounds float, ptr %c, i64 %t18
  %t20 = add nuw nsw i64 %t3, 3
  %t21 = mul nsw i64 %t20, %a.row
  %t22 = getelementptr inbounds float, ptr %a, i64 %t21
  %t23 = mul nsw i64 %t20, %c.row
  %t24 = getelementptr inbounds float, ptr %c, i64 %t23
  %t25 = add nuw nsw i64 %t3, 4
  %t26 = mul nsw i64 %t25, %a.row
  %t27 = getelementptr inbounds float, ptr %a, i64 %t26
  %t28 = mul nsw i64 %t25, %c.row
  %t29 = getelementptr inbounds float, ptr %c, i64 %t28
  %t30 = add nuw nsw i64 %t3, 5
  %t31 = mul nsw i64 %t30, %a.row
  %t32 = getelementptr inbounds float, ptr %a, i64 %t31
  %t33 = mul nsw i64 %t30, %c.row
  %t34 = getelementptr inbounds float, ptr %c, i64 %t33
  %t35 = add nuw nsw i64 %t3, 6
  %t36 = mul nsw i64 %t35, %a.row
  %t37 = getelementptr inbounds float, ptr %a, i64 %t36
  %t38 = mul nsw i64 %t35, %c.row
  %t39 = getelementptr inbounds float, ptr %c, i64 %t38
  %t40 = add nuw nsw i64 %t3, 7
  %t41 = mul nsw i64 %t40, %a.row
  %t42 = getelementptr inbounds float, ptr %a, i64 %t41
  %t43 = mul nsw i64 %t40, %c.row
  %t44 = getelementptr inbounds float, ptr %c, i64 %t43
  %t49 = icmp slt i64 0, %k
  br i1 %t49, label %terms.45, label %summed.46
terms.45:
  %t47 = phi i64 [ 0, %block.1 ], [ %t48, %terms.45 ]
  %t50 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t51, %terms.45 ]
  %t52 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t53, %terms.45 ]
  %t54 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t55, %terms.45 ]
  %t56 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t57, %terms.45 ]
  %t58 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t59, %terms.45 ]
  %t60 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t61, %terms.45 ]
  %t62 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t63, %terms.45 ]
  %t64 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t65, %terms.45 ]
  %t66 = add nuw nsw i64 %t47, 0
  %t67 = mul nsw i64 %t66, %b.row
  %t68 = getelementptr inbounds float, ptr %b, i64 %t67
  %t69 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t68, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t70 = mul nsw i64 %t66, %a.col
  %t71 = getelementptr inbounds float, ptr %t7, i64 %t70
  %t72 = load float, ptr %t71
  %t73 = insertelement <16 x float> poison, float %t72, i64 0
  %t74 = shufflevector <16 x float> %t73, <16 x float> poison, <16 x i32> zeroinitializer
  %t75 = fmul contract <16 x float> %t74, %t69
  %t51 = fadd contract <16 x float> %t50, %t75
  %t76 = getelementptr inbounds float, ptr %t12, i64 %t70
  %t77 = load float, ptr %t76
  %t78 = insertelement <16 x float> poison, float %t77, i64 0
  %t79 = shufflevector <16 x float> %t78, <16 x float> poison, <16 x i32> zeroinitializer
  %t80 = fmul contract <16 x float> %t79, %t69
  %t53 = fadd contract <16 x float> %t52, %t80
  %t81 = getelementptr inbounds float, ptr %t17, i64 %t70
  %t82 = load float, ptr %t81
  %t83 = insertelement <16 x float> poison, float %t82, i64 0
  %t84 = shufflevector <16 x float> %t83, <16 x float> poison, <16 x i32> zeroinitializer
  %t85 = fmul contract <16 x float> %t84, %t69
  %t55 = fadd contract <16 x float> %t54, %t85
  %t86 = getelementptr inbounds float, ptr %t22, i64 %t70
  %t87 = load float, ptr %t86
  %t88 = insertelement <16 x float> poison, float %t87, i64 0
  %t89 = shufflevector <16 x float> %t88, <16 x float> poison, <16 x i32> zeroinitializer
  %t90 = fmul contract <16 x float> %t89, %t69
  %t57 = fadd contract <16 x float> %t56, %t90
  %t91 = getelementptr inbounds float, ptr %t27, i64 %t70
  %t92 = load float, ptr %t91
  %t93 = insertelement <16 x float> poison, float %t92, i64 0
  %t94 = shufflevector <16 x float> %t93, <16 x float> poison, <16 x i32> zeroinitializer
  %t95 = fmul contract <16 x float> %t94, %t69
  %t59 = fadd contract <16 x float> %t58, %t95
  %t96 = getelementptr inbounds float, ptr %t32, i64 %t70
  %t97 = load float, ptr %t96
  %t98 = insertelement <16 x float> poison, float %t97, i64 0
  %t99 = shufflevector <16 x float> %t98, <16 x float> poison, <16 x i32> zeroinitializer
  %t100 = fmul contract <16 x float> %t99, %t69
  %t61 = fadd contract <16 x float> %t60, %t100
  %t101 = getelementptr inbounds float, ptr %t37, i64 %t70
  %t102 = load float, ptr %t101
  %t103 = insertelement <16 x float> poison, float %t102, i64 0
  %t104 = shufflevector <16 x float> %t103, <16 x float> poison, <16 x i32> zeroinitializer
  %t105 = fmul contract <16 x float> %t104, %t69
  %t63 = fadd contract <16 x float> %t62, %t105
  %t106 = getelementptr inbounds float, ptr %t42, i64 %t70
  %t107 = load float, ptr %t106
  %t108 = insertelement <16 x float> poison, float %t107, i64 0
  %t109 = shufflevector <16 x float> %t108, <16 x float> poison, <16 x i32> zeroinitializer
  %t110 = fmul contract <16 x float> %t109, %t69
  %t65 = fadd contract <16 x float> %t64, %t110
  %t48 = add nuw nsw i64 %t47, 1
  %t111 = icmp slt i64 %t48, %k
  br i1 %t111, label %terms.45, label %summed.46, !llvm.loop !0
summed.46:
  %t112 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t51, %terms.45 ]
  %t113 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t53, %terms.45 ]
  %t114 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t55, %terms.45 ]
  %t115 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t57, %terms.45 ]
  %t116 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t59, %terms.45 ]
  %t117 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t61, %terms.45 ]
  %t118 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t63, %terms.45 ]
  %t119 = phi <16 x float> [ zeroinitializer, %block.1 ], [ %t65, %terms.45 ]
  %t120 = fcmp une float %beta, 0x0000000000000000
  %t123 = insertelement <16 x float> poison, float %alpha, i64 0
  %t124 = shufflevector <16 x float> %t123, <16 x float> poison, <16 x i32> zeroinitializer
  %t125 = fmul <16 x float> %t124, %t112
  %t126 = insertelement <16 x float> poison, float %alpha, i64 0
  %t127 = shufflevector <16 x float> %t126, <16 x float> poison, <16 x i32> zeroinitializer
  %t128 = fmul <16 x float> %t127, %t113
  %t129 = insertelement <16 x float> poison, float %alpha, i64 0
  %t130 = shufflevector <16 x float> %t129, <16 x float> poison, <16 x i32> zeroinitializer
  %t131 = fmul <16 x float> %t130, %t114
  %t132 = insertelement <16 x float> poison, float %alpha, i64 0
  %t133 = shufflevector <16 x float> %t132, <16 x float> poison, <16 x i32> zeroinitializer
  %t134 = fmul <16 x float> %t133, %t115
  %t135 = insertelement <16 x float> poison, float %alpha, i64 0
  %t136 = shufflevector <16 x float> %t135, <16 x float> poison, <16 x i32> zeroinitializer
  %t137 = fmul <16 x float> %t136, %t116
  %t138 = insertelement <16 x float> poison, float %alpha, i64 0
  %t139 = shufflevector <16 x float> %t138, <16 x float> poison, <16 x i32> zeroinitializer
  %t140 = fmul <16 x float> %t139, %t117
  %t141 = insertelement <16 x float> poison, float %alpha, i64 0
  %t142 = shufflevector <16 x float> %t141, <16 x float> poison, <16 x i32> zeroinitializer
  %t143 = fmul <16 x float> %t142, %t118
  %t144 = insertelement <16 x float> poison, float %alpha, i64 0
  %t145 = shufflevector <16 x float> %t144, <16 x float> poison, <16 x i32> zeroinitializer
  %t146 = fmul <16 x float> %t145, %t119
  br i1 %t120, label %add.121, label %store.122
add.121:
  %t147 = insertelement <16 x float> poison, float %beta, i64 0
  %t148 = shufflevector <16 x float> %t147, <16 x float> poison, <16 x i32> zeroinitializer
  %t149 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t9, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t150 = fmul contract <16 x float> %t148, %t149
  %t151 = fadd contract <16 x float> %t125, %t150
  %t152 = insertelement <16 x float> poison, float %beta, i64 0
  %t153 = shufflevector <16 x float> %t152, <16 x float> poison, <16 x i32> zeroinitializer
  %t154 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t14, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t155 = fmul contract <16 x float> %t153, %t154
  %t156 = fadd contract <16 x float> %t128, %t155
  %t157 = insertelement <16 x float> poison, float %beta, i64 0
  %t158 = shufflevector <16 x float> %t157, <16 x float> poison, <16 x i32> zeroinitializer
  %t159 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t19, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t160 = fmul contract <16 x float> %t158, %t159
  %t161 = fadd contract <16 x float> %t131, %t160
  %t162 = insertelement <16 x float> poison, float %beta, i64 0
  %t163 = shufflevector <16 x float> %t162, <16 x float> poison, <16 x i32> zeroinitializer
  %t164 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t24, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t165 = fmul contract <16 x float> %t163, %t164
  %t166 = fadd contract <16 x float> %t134, %t165
  %t167 = insertelement <16 x float> poison, float %beta, i64 0
  %t168 = shufflevector <16 x float> %t167, <16 x float> poison, <16 x i32> zeroinitializer
  %t169 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t29, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t170 = fmul contract <16 x float> %t168, %t169
  %t171 = fadd contract <16 x float> %t137, %t170
  %t172 = insertelement <16 x float> poison, float %beta, i64 0
  %t173 = shufflevector <16 x float> %t172, <16 x float> poison, <16 x i32> zeroinitializer
  %t174 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t34, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t175 = fmul contract <16 x float> %t173, %t174
  %t176 = fadd contract <16 x float> %t140, %t175
  %t177 = insertelement <16 x float> poison, float %beta, i64 0
  %t178 = shufflevector <16 x float> %t177, <16 x float> poison, <16 x i32> zeroinitializer
  %t179 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t39, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t180 = fmul contract <16 x float> %t178, %t179
  %t181 = fadd contract <16 x float> %t143, %t180
  %t182 = insertelement <16 x float> poison, float %beta, i64 0
  %t183 = shufflevector <16 x float> %t182, <16 x float> poison, <16 x i32> zeroinitializer
  %t184 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t44, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t185 = fmul contract <16 x float> %t183, %t184
  %t186 = fadd contract <16 x float> %t146, %t185
  br label %store.122
store.122:
  %t187 = phi <16 x float> [ %t125, %summed.46 ], [ %t151, %add.121 ]
  %t188 = phi <16 x float> [ %t128, %summed.46 ], [ %t156, %add.121 ]
  %t189 = phi <16 x float> [ %t131, %summed.46 ], [ %t161, %add.121 ]
  %t190 = phi <16 x float> [ %t134, %summed.46 ], [ %t166, %add.121 ]
  %t191 = phi <16 x float> [ %t137, %summed.46 ], [ %t171, %add.121 ]
  %t192 = phi <16 x float> [ %t140, %summed.46 ], [ %t176, %add.121 ]
  %t193 = phi <16 x float> [ %t143, %summed.46 ], [ %t181, %add.121 ]
  %t194 = phi <16 x float> [ %t146, %summed.46 ], [ %t186, %add.121 ]
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t187, ptr %t9, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t188, ptr %t14, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t189, ptr %t19, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t190, ptr %t24, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t191, ptr %t29, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t192, ptr %t34, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t193, ptr %t39, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t194, ptr %t44, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  br label %rows.0
rows.0:
  %t3 = phi i64 [ 0, %entry ], [ %t4, %store.122 ]
  %t4 = add nuw nsw i64 %t3, 8
  %t195 = icmp sle i64 %t4, %m
  br i1 %t195, label %block.1, label %done.2
done.2:
  br label %rows.196
block.197:
  %t201 = add nuw nsw i64 %t199, 0
  %t202 = mul nsw i64 %t201, %a.row
  %t203 = getelementptr inbounds float, ptr %a, i64 %t202
  %t204 = mul nsw i64 %t201, %c.row
  %t205 = getelementptr inbounds float, ptr %c, i64 %t204
  %t206 = add nuw nsw i64 %t199, 1
  %t207 = mul nsw i64 %t206, %a.row
  %t208 = getelementptr inbounds float, ptr %a, i64 %t207
  %t209 = mul nsw i64 %t206, %c.row
  %t210 = getelementptr inbounds float, ptr %c, i64 %t209
  %t211 = and i64 %k, -4
  %t216 = icmp slt i64 0, %t211
  br i1 %t216, label %terms.212, label %summed.213
terms.212:
  %t214 = phi i64 [ 0, %block.197 ], [ %t215, %terms.212 ]
  %t217 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t218, %terms.212 ]
  %t219 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t220, %terms.212 ]
  %t221 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t222, %terms.212 ]
  %t223 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t224, %terms.212 ]
  %t225 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t226, %terms.212 ]
  %t227 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t228, %terms.212 ]
  %t229 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t230, %terms.212 ]
  %t231 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t232, %terms.212 ]
  %t233 = add nuw nsw i64 %t214, 0
  %t234 = mul nsw i64 %t233, %b.row
  %t235 = getelementptr inbounds float, ptr %b, i64 %t234
  %t236 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t235, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t237 = mul nsw i64 %t233, %a.col
  %t238 = getelementptr inbounds float, ptr %t203, i64 %t237
  %t239 = load float, ptr %t238
  %t240 = insertelement <16 x float> poison, float %t239, i64 0
  %t241 = shufflevector <16 x float> %t240, <16 x float> poison, <16 x i32> zeroinitializer
  %t242 = fmul contract <16 x float> %t241, %t236
  %t218 = fadd contract <16 x float> %t217, %t242
  %t243 = getelementptr inbounds float, ptr %t208, i64 %t237
  %t244 = load float, ptr %t243
  %t245 = insertelement <16 x float> poison, float %t244, i64 0
  %t246 = shufflevector <16 x float> %t245, <16 x float> poison, <16 x i32> zeroinitializer
  %t247 = fmul contract <16 x float> %t246, %t236
  %t220 = fadd contract <16 x float> %t219, %t247
  %t248 = add nuw nsw i64 %t214, 1
  %t249 = mul nsw i64 %t248, %b.row
  %t250 = getelementptr inbounds float, ptr %b, i64 %t249
  %t251 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t250, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t252 = mul nsw i64 %t248, %a.col
  %t253 = getelementptr inbounds float, ptr %t203, i64 %t252
  %t254 = load float, ptr %t253
  %t255 = insertelement <16 x float> poison, float %t254, i64 0
  %t256 = shufflevector <16 x float> %t255, <16 x float> poison, <16 x i32> zeroinitializer
  %t257 = fmul contract <16 x float> %t256, %t251
  %t222 = fadd contract <16 x float> %t221, %t257
  %t258 = getelementptr inbounds float, ptr %t208, i64 %t252
  %t259 = load float, ptr %t258
  %t260 = insertelement <16 x float> poison, float %t259, i64 0
  %t261 = shufflevector <16 x float> %t260, <16 x float> poison, <16 x i32> zeroinitializer
  %t262 = fmul contract <16 x float> %t261, %t251
  %t224 = fadd contract <16 x float> %t223, %t262
  %t263 = add nuw nsw i64 %t214, 2
  %t264 = mul nsw i64 %t263, %b.row
  %t265 = getelementptr inbounds float, ptr %b, i64 %t264
  %t266 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t265, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t267 = mul nsw i64 %t263, %a.col
  %t268 = getelementptr inbounds float, ptr %t203, i64 %t267
  %t269 = load float, ptr %t268
  %t270 = insertelement <16 x float> poison, float %t269, i64 0
  %t271 = shufflevector <16 x float> %t270, <16 x float> poison, <16 x i32> zeroinitializer
  %t272 = fmul contract <16 x float> %t271, %t266
  %t226 = fadd contract <16 x float> %t225, %t272
  %t273 = getelementptr inbounds float, ptr %t208, i64 %t267
  %t274 = load float, ptr %t273
  %t275 = insertelement <16 x float> poison, float %t274, i64 0
  %t276 = shufflevector <16 x float> %t275, <16 x float> poison, <16 x i32> zeroinitializer
  %t277 = fmul contract <16 x float> %t276, %t266
  %t228 = fadd contract <16 x float> %t227, %t277
  %t278 = add nuw nsw i64 %t214, 3
  %t279 = mul nsw i64 %t278, %b.row
  %t280 = getelementptr inbounds float, ptr %b, i64 %t279
  %t281 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t280, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t282 = mul nsw i64 %t278, %a.col
  %t283 = getelementptr inbounds float, ptr %t203, i64 %t282
  %t284 = load float, ptr %t283
  %t285 = insertelement <16 x float> poison, float %t284, i64 0
  %t286 = shufflevector <16 x float> %t285, <16 x float> poison, <16 x i32> zeroinitializer
  %t287 = fmul contract <16 x float> %t286, %t281
  %t230 = fadd contract <16 x float> %t229, %t287
  %t288 = getelementptr inbounds float, ptr %t208, i64 %t282
  %t289 = load float, ptr %t288
  %t290 = insertelement <16 x float> poison, float %t289, i64 0
  %t291 = shufflevector <16 x float> %t290, <16 x float> poison, <16 x i32> zeroinitializer
  %t292 = fmul contract <16 x float> %t291, %t281
  %t232 = fadd contract <16 x float> %t231, %t292
  %t215 = add nuw nsw i64 %t214, 4
  %t293 = icmp slt i64 %t215, %t211
  br i1 %t293, label %terms.212, label %summed.213, !llvm.loop !0
summed.213:
  %t294 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t218, %terms.212 ]
  %t295 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t220, %terms.212 ]
  %t296 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t222, %terms.212 ]
  %t297 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t224, %terms.212 ]
  %t298 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t226, %terms.212 ]
  %t299 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t228, %terms.212 ]
  %t300 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t230, %terms.212 ]
  %t301 = phi <16 x float> [ zeroinitializer, %block.197 ], [ %t232, %terms.212 ]
  %t302 = fadd <16 x float> %t294, %t298
  %t303 = fadd <16 x float> %t295, %t299
  %t304 = fadd <16 x float> %t296, %t300
  %t305 = fadd <16 x float> %t297, %t301
  %t306 = fadd <16 x float> %t302, %t304
  %t307 = fadd <16 x float> %t303, %t305
  %t312 = icmp slt i64 %t211, %k
  br i1 %t312, label %terms.308, label %summed.309
terms.308:
  %t310 = phi i64 [ %t211, %summed.213 ], [ %t311, %terms.308 ]
  %t313 = phi <16 x float> [ %t306, %summed.213 ], [ %t314, %terms.308 ]
  %t315 = phi <16 x float> [ %t307, %summed.213 ], [ %t316, %terms.308 ]
  %t317 = add nuw nsw i64 %t310, 0
  %t318 = mul nsw i64 %t317, %b.row
  %t319 = getelementptr inbounds float, ptr %b, i64 %t318
  %t320 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t319, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t321 = mul nsw i64 %t317, %a.col
  %t322 = getelementptr inbounds float, ptr %t203, i64 %t321
  %t323 = load float, ptr %t322
  %t324 = insertelement <16 x float> poison, float %t323, i64 0
  %t325 = shufflevector <16 x float> %t324, <16 x float> poison, <16 x i32> zeroinitializer
  %t326 = fmul contract <16 x float> %t325, %t320
  %t314 = fadd contract <16 x float> %t313, %t326
  %t327 = getelementptr inbounds float, ptr %t208, i64 %t321
  %t328 = load float, ptr %t327
  %t329 = insertelement <16 x float> poison, float %t328, i64 0
  %t330 = shufflevector <16 x float> %t329, <16 x float> poison, <16 x i32> zeroinitializer
  %t331 = fmul contract <16 x float> %t330, %t320
  %t316 = fadd contract <16 x float> %t315, %t331
  %t311 = add nuw nsw i64 %t310, 1
  %t332 = icmp slt i64 %t311, %k
  br i1 %t332, label %terms.308, label %summed.309, !llvm.loop !0
summed.309:
  %t333 = phi <16 x float> [ %t306, %summed.213 ], [ %t314, %terms.308 ]
  %t334 = phi <16 x float> [ %t307, %summed.213 ], [ %t316, %terms.308 ]
  %t335 = fcmp une float %beta, 0x0000000000000000
  %t338 = insertelement <16 x float> poison, float %alpha, i64 0
  %t339 = shufflevector <16 x float> %t338, <16 x float> poison, <16 x i32> zeroinitializer
  %t340 = fmul <16 x float> %t339, %t333
  %t341 = insertelement <16 x float> poison, float %alpha, i64 0
  %t342 = shufflevector <16 x float> %t341, <16 x float> poison, <16 x i32> zeroinitializer
  %t343 = fmul <16 x float> %t342, %t334
  br i1 %t335, label %add.336, label %store.337
add.336:
  %t344 = insertelement <16 x float> poison, float %beta, i64 0
  %t345 = shufflevector <16 x float> %t344, <16 x float> poison, <16 x i32> zeroinitializer
  %t346 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t205, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t347 = fmul contract <16 x float> %t345, %t346
  %t348 = fadd contract <16 x float> %t340, %t347
  %t349 = insertelement <16 x float> poison, float %beta, i64 0
  %t350 = shufflevector <16 x float> %t349, <16 x float> poison, <16 x i32> zeroinitializer
  %t351 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t210, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t352 = fmul contract <16 x float> %t350, %t351
  %t353 = fadd contract <16 x float> %t343, %t352
  br label %store.337
store.337:
  %t354 = phi <16 x float> [ %t340, %summed.309 ], [ %t348, %add.336 ]
  %t355 = phi <16 x float> [ %t343, %summed.309 ], [ %t353, %add.336 ]
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t354, ptr %t205, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t355, ptr %t210, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  br label %rows.196
rows.196:
  %t199 = phi i64 [ %t3, %done.2 ], [ %t200, %store.337 ]
  %t200 = add nuw nsw i64 %t199, 2
  %t356 = icmp sle i64 %t200, %m
  br i1 %t356, label %block.197, label %done.198
done.198:
  br label %rows.357
block.358:
  %t362 = add nuw nsw i64 %t360, 0
  %t363 = mul nsw i64 %t362, %a.row
  %t364 = getelementptr inbounds float, ptr %a, i64 %t363
  %t365 = mul nsw i64 %t362, %c.row
  %t366 = getelementptr inbounds float, ptr %c, i64 %t365
  %t367 = and i64 %k, -8
  %t372 = icmp slt i64 0, %t367
  br i1 %t372, label %terms.368, label %summed.369
terms.368:
  %t370 = phi i64 [ 0, %block.358 ], [ %t371, %terms.368 ]
  %t373 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t374, %terms.368 ]
  %t375 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t376, %terms.368 ]
  %t377 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t378, %terms.368 ]
  %t379 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t380, %terms.368 ]
  %t381 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t382, %terms.368 ]
  %t383 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t384, %terms.368 ]
  %t385 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t386, %terms.368 ]
  %t387 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t388, %terms.368 ]
  %t389 = add nuw nsw i64 %t370, 0
  %t390 = mul nsw i64 %t389, %b.row
  %t391 = getelementptr inbounds float, ptr %b, i64 %t390
  %t392 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t391, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t393 = mul nsw i64 %t389, %a.col
  %t394 = getelementptr inbounds float, ptr %t364, i64 %t393
  %t395 = load float, ptr %t394
  %t396 = insertelement <16 x float> poison, float %t395, i64 0
  %t397 = shufflevector <16 x float> %t396, <16 x float> poison, <16 x i32> zeroinitializer
  %t398 = fmul contract <16 x float> %t397, %t392
  %t374 = fadd contract <16 x float> %t373, %t398
  %t399 = add nuw nsw i64 %t370, 1
  %t400 = mul nsw i64 %t399, %b.row
  %t401 = getelementptr inbounds float, ptr %b, i64 %t400
  %t402 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t401, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t403 = mul nsw i64 %t399, %a.col
  %t404 = getelementptr inbounds float, ptr %t364, i64 %t403
  %t405 = load float, ptr %t404
  %t406 = insertelement <16 x float> poison, float %t405, i64 0
  %t407 = shufflevector <16 x float> %t406, <16 x float> poison, <16 x i32> zeroinitializer
  %t408 = fmul contract <16 x float> %t407, %t402
  %t376 = fadd contract <16 x float> %t375, %t408
  %t409 = add nuw nsw i64 %t370, 2
  %t410 = mul nsw i64 %t409, %b.row
  %t411 = getelementptr inbounds float, ptr %b, i64 %t410
  %t412 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t411, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t413 = mul nsw i64 %t409, %a.col
  %t414 = getelementptr inbounds float, ptr %t364, i64 %t413
  %t415 = load float, ptr %t414
  %t416 = insertelement <16 x float> poison, float %t415, i64 0
  %t417 = shufflevector <16 x float> %t416, <16 x float> poison, <16 x i32> zeroinitializer
  %t418 = fmul contract <16 x float> %t417, %t412
  %t378 = fadd contract <16 x float> %t377, %t418
  %t419 = add nuw nsw i64 %t370, 3
  %t420 = mul nsw i64 %t419, %b.row
  %t421 = getelementptr inbounds float, ptr %b, i64 %t420
  %t422 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t421, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t423 = mul nsw i64 %t419, %a.col
  %t424 = getelementptr inbounds float, ptr %t364, i64 %t423
  %t425 = load float, ptr %t424
  %t426 = insertelement <16 x float> poison, float %t425, i64 0
  %t427 = shufflevector <16 x float> %t426, <16 x float> poison, <16 x i32> zeroinitializer
  %t428 = fmul contract <16 x float> %t427, %t422
  %t380 = fadd contract <16 x float> %t379, %t428
  %t429 = add nuw nsw i64 %t370, 4
  %t430 = mul nsw i64 %t429, %b.row
  %t431 = getelementptr inbounds float, ptr %b, i64 %t430
  %t432 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t431, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t433 = mul nsw i64 %t429, %a.col
  %t434 = getelementptr inbounds float, ptr %t364, i64 %t433
  %t435 = load float, ptr %t434
  %t436 = insertelement <16 x float> poison, float %t435, i64 0
  %t437 = shufflevector <16 x float> %t436, <16 x float> poison, <16 x i32> zeroinitializer
  %t438 = fmul contract <16 x float> %t437, %t432
  %t382 = fadd contract <16 x float> %t381, %t438
  %t439 = add nuw nsw i64 %t370, 5
  %t440 = mul nsw i64 %t439, %b.row
  %t441 = getelementptr inbounds float, ptr %b, i64 %t440
  %t442 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t441, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t443 = mul nsw i64 %t439, %a.col
  %t444 = getelementptr inbounds float, ptr %t364, i64 %t443
  %t445 = load float, ptr %t444
  %t446 = insertelement <16 x float> poison, float %t445, i64 0
  %t447 = shufflevector <16 x float> %t446, <16 x float> poison, <16 x i32> zeroinitializer
  %t448 = fmul contract <16 x float> %t447, %t442
  %t384 = fadd contract <16 x float> %t383, %t448
  %t449 = add nuw nsw i64 %t370, 6
  %t450 = mul nsw i64 %t449, %b.row
  %t451 = getelementptr inbounds float, ptr %b, i64 %t450
  %t452 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t451, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t453 = mul nsw i64 %t449, %a.col
  %t454 = getelementptr inbounds float, ptr %t364, i64 %t453
  %t455 = load float, ptr %t454
  %t456 = insertelement <16 x float> poison, float %t455, i64 0
  %t457 = shufflevector <16 x float> %t456, <16 x float> poison, <16 x i32> zeroinitializer
  %t458 = fmul contract <16 x float> %t457, %t452
  %t386 = fadd contract <16 x float> %t385, %t458
  %t459 = add nuw nsw i64 %t370, 7
  %t460 = mul nsw i64 %t459, %b.row
  %t461 = getelementptr inbounds float, ptr %b, i64 %t460
  %t462 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t461, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t463 = mul nsw i64 %t459, %a.col
  %t464 = getelementptr inbounds float, ptr %t364, i64 %t463
  %t465 = load float, ptr %t464
  %t466 = insertelement <16 x float> poison, float %t465, i64 0
  %t467 = shufflevector <16 x float> %t466, <16 x float> poison, <16 x i32> zeroinitializer
  %t468 = fmul contract <16 x float> %t467, %t462
  %t388 = fadd contract <16 x float> %t387, %t468
  %t371 = add nuw nsw i64 %t370, 8
  %t469 = icmp slt i64 %t371, %t367
  br i1 %t469, label %terms.368, label %summed.369, !llvm.loop !0
summed.369:
  %t470 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t374, %terms.368 ]
  %t471 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t376, %terms.368 ]
  %t472 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t378, %terms.368 ]
  %t473 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t380, %terms.368 ]
  %t474 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t382, %terms.368 ]
  %t475 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t384, %terms.368 ]
  %t476 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t386, %terms.368 ]
  %t477 = phi <16 x float> [ zeroinitializer, %block.358 ], [ %t388, %terms.368 ]
  %t478 = fadd <16 x float> %t470, %t474
  %t479 = fadd <16 x float> %t471, %t475
  %t480 = fadd <16 x float> %t472, %t476
  %t481 = fadd <16 x float> %t473, %t477
  %t482 = fadd <16 x float> %t478, %t480
  %t483 = fadd <16 x float> %t479, %t481
  %t484 = fadd <16 x float> %t482, %t483
  %t489 = icmp slt i64 %t367, %k
  br i1 %t489, label %terms.485, label %summed.486
terms.485:
  %t487 = phi i64 [ %t367, %summed.369 ], [ %t488, %terms.485 ]
  %t490 = phi <16 x float> [ %t484, %summed.369 ], [ %t491, %terms.485 ]
  %t492 = add nuw nsw i64 %t487, 0
  %t493 = mul nsw i64 %t492, %b.row
  %t494 = getelementptr inbounds float, ptr %b, i64 %t493
  %t495 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t494, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t496 = mul nsw i64 %t492, %a.col
  %t497 = getelementptr inbounds float, ptr %t364, i64 %t496
  %t498 = load float, ptr %t497
  %t499 = insertelement <16 x float> poison, float %t498, i64 0
  %t500 = shufflevector <16 x float> %t499, <16 x float> poison, <16 x i32> zeroinitializer
  %t501 = fmul contract <16 x float> %t500, %t495
  %t491 = fadd contract <16 x float> %t490, %t501
  %t488 = add nuw nsw i64 %t487, 1
  %t502 = icmp slt i64 %t488, %k
  br i1 %t502, label %terms.485, label %summed.486, !llvm.loop !0
summed.486:
  %t503 = phi <16 x float> [ %t484, %summed.369 ], [ %t491, %terms.485 ]
  %t504 = fcmp une float %beta, 0x0000000000000000
  %t507 = insertelement <16 x float> poison, float %alpha, i64 0
  %t508 = shufflevector <16 x float> %t507, <16 x float> poison, <16 x i32> zeroinitializer
  %t509 = fmul <16 x float> %t508, %t503
  br i1 %t504, label %add.505, label %store.506
add.505:
  %t510 = insertelement <16 x float> poison, float %beta, i64 0
  %t511 = shufflevector <16 x float> %t510, <16 x float> poison, <16 x i32> zeroinitializer
  %t512 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %t366, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>, <16 x float> zeroinitializer)
  %t513 = fmul contract <16 x float> %t511, %t512
  %t514 = fadd contract <16 x float> %t509, %t513
  br label %store.506
store.506:
  %t515 = phi <16 x float> [ %t509, %summed.486 ], [ %t514, %add.505 ]
  call void @llvm.masked.store.v16f32.p0(<16 x float> %t515, ptr %t366, i32 4, <16 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false, i1 false, i1 false, i1 false, i1 false, i1 false>)
  br label %rows.357
rows.357:
  %t360 = phi i64 [ %t199, %done.198 ], [ %t361, %store.506 ]
  %t361 = add nuw nsw i64 %t360, 1
  %t516 = icmp sle i64 %t361, %m
  br i1 %t516, label %block.358, label %done.359
done.359:
  ret void
}
; C[m n] = alpha A[m k] B[k n] + beta C, for the sizes and strides (in elements) of this moment.
; f32 is the dtype, float its LLVM type, s its BLAS letter. A and B have a unit stride along one axis;
; C has one along its last axis. What BLAS would refuse (a stride shorter than the row beside it, as
; broadcasting makes them; sizes over 31 bits) and k = 0 go to plain loops, which are not vectorised:
; they are rare, and would cost more to compile than all the rest. beta = 0 never reads C.
define internal void @damo.gemm.f32(i64 %m, i64 %n, i64 %k, float %alpha, ptr %a, i64 %a.row, i64 %a.col, ptr %b, i64 %b.row, i64 %b.col, float %beta, ptr %c, i64 %c.row) #0 {
entry:
  %some.m = icmp sgt i64 %m, 0
  %some.n = icmp sgt i64 %n, 0
  %some = and i1 %some.m, %some.n
  br i1 %some, label %layout, label %done

layout:
  %one.m = icmp eq i64 %m, 1
  %one.n = icmp eq i64 %n, 1
  %one.k = icmp eq i64 %k, 1
  ; A lies by rows (leading dimension = row stride) or by columns. A single row or column may have
  ; any stride along the axis that it lacks.
  %a.unit = icmp eq i64 %a.col, 1
  %a.rows = or i1 %a.unit, %one.k
  %a.unit.row = icmp eq i64 %a.row, 1
  %a.columns = or i1 %a.unit.row, %one.m
  %a.by.rows = select i1 %one.m, i64 %k, i64 %a.row
  %a.by.columns = select i1 %one.k, i64 %m, i64 %a.col
  %a.lead = select i1 %a.rows, i64 %a.by.rows, i64 %a.by.columns
  %a.least = select i1 %a.rows, i64 %k, i64 %m
  %a.wide = icmp sge i64 %a.lead, %a.least
  %a.either = or i1 %a.rows, %a.columns
  %a.fits = and i1 %a.wide, %a.either
  ; B likewise.
  %b.unit = icmp eq i64 %b.col, 1
  %b.rows = or i1 %b.unit, %one.n
  %b.unit.row = icmp eq i64 %b.row, 1
  %b.columns = or i1 %b.unit.row, %one.k
  %b.by.rows = select i1 %one.k, i64 %n, i64 %b.row
  %b.by.columns = select i1 %one.n, i64 %k, i64 %b.col
  %b.lead = select i1 %b.rows, i64 %b.by.rows, i64 %b.by.columns
  %b.least = select i1 %b.rows, i64 %n, i64 %k
  %b.wide = icmp sge i64 %b.lead, %b.least
  %b.either = or i1 %b.rows, %b.columns
  %b.fits = and i1 %b.wide, %b.either
  %c.lead = select i1 %one.m, i64 %n, i64 %c.row
  %c.fits = icmp sge i64 %c.lead, %n
  %largest.1 = call i64 @llvm.smax.i64(i64 %m, i64 %n)
  %largest.2 = call i64 @llvm.smax.i64(i64 %largest.1, i64 %k)
  %largest.3 = call i64 @llvm.smax.i64(i64 %largest.2, i64 %a.lead)
  %largest.4 = call i64 @llvm.smax.i64(i64 %largest.3, i64 %b.lead)
  %largest = call i64 @llvm.smax.i64(i64 %largest.4, i64 %c.lead)
  %small = icmp sle i64 %largest, 2147483647
  %some.k = icmp sgt i64 %k, 0
  %fits.1 = and i1 %a.fits, %b.fits
  %fits.2 = and i1 %c.fits, %small
  %fits.3 = and i1 %fits.1, %fits.2
  %fits = and i1 %fits.3, %some.k
  br i1 %fits, label %library, label %plain

library:
  %m32 = trunc i64 %m to i32
  %n32 = trunc i64 %n to i32
  %k32 = trunc i64 %k to i32
  %lda = trunc i64 %a.lead to i32
  %ldb = trunc i64 %b.lead to i32
  %ldc = trunc i64 %c.lead to i32
  br i1 %one.m, label %row, label %not.row

row:
  ; c' = alpha B' a' + beta c'
  %row.order = select i1 %b.rows, i32 112, i32 111
  %row.m = select i1 %b.rows, i32 %k32, i32 %n32
  %row.n = select i1 %b.rows, i32 %n32, i32 %k32
  %row.step = select i1 %one.k, i64 1, i64 %a.col
  %row.step32 = trunc i64 %row.step to i32
  call void @cblas_sgemv(i32 101, i32 %row.order, i32 %row.m, i32 %row.n, float %alpha, ptr %b, i32 %ldb, ptr %a, i32 %row.step32, float %beta, ptr %c, i32 1)
  br label %done

not.row:
  br i1 %one.n, label %column, label %not.column

column:
  ; c = alpha A b + beta c
  %column.order = select i1 %a.rows, i32 111, i32 112
  %column.m = select i1 %a.rows, i32 %m32, i32 %k32
  %column.n = select i1 %a.rows, i32 %k32, i32 %m32
  %column.step = select i1 %one.k, i64 1, i64 %b.row
  %column.step32 = trunc i64 %column.step to i32
  call void @cblas_sgemv(i32 101, i32 %column.order, i32 %column.m, i32 %column.n, float %alpha, ptr %a, i32 %lda, ptr %b, i32 %column.step32, float %beta, ptr %c, i32 %ldc)
  br label %done

not.column:
  %adds = fcmp oeq float %beta, 1.0
  %is.outer = and i1 %one.k, %adds
  br i1 %is.outer, label %outer, label %full

outer:
  ; C += alpha a b'
  %outer.a = trunc i64 %a.row to i32
  %outer.b = trunc i64 %b.col to i32
  call void @cblas_sger(i32 101, i32 %m32, i32 %n32, float %alpha, ptr %a, i32 %outer.a, ptr %b, i32 %outer.b, ptr %c, i32 %ldc)
  br label %done

full:
  %full.a = select i1 %a.rows, i32 111, i32 112
  %full.b = select i1 %b.rows, i32 111, i32 112
  call void @cblas_sgemm(i32 101, i32 %full.a, i32 %full.b, i32 %m32, i32 %n32, i32 %k32, float %alpha, ptr %a, i32 %lda, ptr %b, i32 %ldb, float %beta, ptr %c, i32 %ldc)
  br label %done

plain:
  %reads = fcmp une float %beta, 0.0
  br label %plain.row

plain.row:
  %i = phi i64 [ 0, %plain ], [ %i.next, %plain.row.next ]
  %i.a = mul nsw i64 %i, %a.row
  %i.c = mul nsw i64 %i, %c.row
  %a.i = getelementptr inbounds float, ptr %a, i64 %i.a
  %c.i = getelementptr inbounds float, ptr %c, i64 %i.c
  br label %plain.element

plain.element:
  %j = phi i64 [ 0, %plain.row ], [ %j.next, %plain.element.next ]
  %j.b = mul nsw i64 %j, %b.col
  %b.j = getelementptr inbounds float, ptr %b, i64 %j.b
  %c.ij = getelementptr inbounds float, ptr %c.i, i64 %j
  br i1 %some.k, label %plain.term, label %plain.sum

plain.term:
  %l = phi i64 [ 0, %plain.element ], [ %l.next, %plain.term ]
  %partial = phi float [ 0.0, %plain.element ], [ %partial.next, %plain.term ]
  %l.a = mul nsw i64 %l, %a.col
  %l.b = mul nsw i64 %l, %b.row
  %a.il = getelementptr inbounds float, ptr %a.i, i64 %l.a
  %b.lj = getelementptr inbounds float, ptr %b.j, i64 %l.b
  %x = load float, ptr %a.il
  %y = load float, ptr %b.lj
  %xy = fmul contract float %x, %y
  %partial.next = fadd reassoc contract float %partial, %xy
  %l.next = add nuw nsw i64 %l, 1
  %l.more = icmp slt i64 %l.next, %k
  br i1 %l.more, label %plain.term, label %plain.scaled, !llvm.loop !0

plain.scaled:
  %scaled = fmul float %alpha, %partial.next
  br label %plain.sum

plain.sum:
  %product = phi float [ 0.0, %plain.element ], [ %scaled, %plain.scaled ]
  br i1 %reads, label %plain.add, label %plain.element.next

plain.add:
  %old = load float, ptr %c.ij
  %kept = fmul float %beta, %old
  %total = fadd float %product, %kept
  br label %plain.element.next

plain.element.next:
  %result = phi float [ %product, %plain.sum ], [ %total, %plain.add ]
  store float %result, ptr %c.ij
  %j.next = add nuw nsw i64 %j, 1
  %j.more = icmp slt i64 %j.next, %n
  br i1 %j.more, label %plain.element, label %plain.row.next

plain.row.next:
  %i.next = add nuw nsw i64 %i, 1
  %i.more = icmp slt i64 %i.next, %m
  br i1 %i.more, label %plain.row, label %done

done:
  ret void
}

declare void @cblas_sgemv(i32, i32, i32, i32, float, ptr, i32, ptr, i32, float, ptr, i32)
declare void @cblas_sger(i32, i32, i32, float, ptr, i32, ptr, i32, ptr, i32)
declare void @cblas_sgemm(i32, i32, i32, i32, i32, i32, float, ptr, i32, ptr, i32, float, ptr, i32)
!0 = distinct !{!0, !1, !2}
!1 = !{!"llvm.loop.vectorize.enable", i1 false}
!2 = !{!"llvm.loop.unroll.disable"}


attributes #0 = { noinline nounwind "prefer-vector-width"="512" }
attributes #1 = { alwaysinline nounwind "prefer-vector-width"="512" }
attributes #2 = { nounwind "prefer-vector-width"="512" }
