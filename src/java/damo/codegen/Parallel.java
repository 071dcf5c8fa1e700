package damo.codegen;

import java.util.List;

/**
 * The function that runs the chunks of a loop: {@code void @damo.parallel(ptr body, ptr context,
 * i64 chunks, i64 threads)}, docs/decisions/0043-products-and-threads.md.
 */
final class Parallel {
    private static final String NAME = "damo.parallel";
    private static final String TEXT = """
            define void @damo.parallel(ptr %body, ptr %context, i64 %chunks, i64 %threads) #2 {
            entry:
              %some = icmp sgt i64 %chunks, 0
              br i1 %some, label %chunk, label %done

            chunk:
              %i = phi i64 [ 0, %entry ], [ %next, %chunk ]
              call void %body(ptr %context, i64 %i)
              %next = add nuw nsw i64 %i, 1
              %more = icmp slt i64 %next, %chunks
              br i1 %more, label %chunk, label %done

            done:
              ret void
            }
            """;

    private Parallel() { }

    /** The name (with {@code @}) of the function, which {@code outside} learns of. */
    static String require(Outside outside, int vectorBits) {
        outside.share(NAME, "void @" + NAME + "(ptr, ptr, i64, i64)", () -> {
            Outside called = new Outside();
            String text = TEXT + called.declarations() + Attributes.text(vectorBits);
            return new LlvmModule(List.of(new LlvmModule.Text(text, LlvmModule.Kind.LOOPS)),
                    called.externals(), called.shared());
        });
        return "@" + NAME;
    }
}
