package damo;

import damo.lib.Threads;
import damo.runtime.Model;
import damo.runtime.OpKernel;
import damo.runtime.OpKernels;
import java.nio.file.Path;
import java.util.Map;

/**
 * The entry for Java applications: loads models that were trained and saved with Damo, and runs
 * them without Clojure.
 *
 * <pre>{@code
 * try (Model model = Damo.load(Path.of("digits.damo"))) {
 *     Function predict = model.function("predict");
 *     Tensor[] out = predict.call(Tensor.of(pixels)); // float[1][784]
 *     System.out.println(out[0]);
 * }
 * }</pre>
 */
public final class Damo {
    private Damo() { }

    /**
     * Lets each call use up to {@code n} threads, the one that calls among them, from now on, in
     * the whole process: loops, products, and the BLAS library. It is 1 at first, or what the
     * system property {@code damo.threads} says.
     *
     * @throws DamoException "bad-threads" when n is below 1
     */
    public static void threads(int n) {
        Threads.set(n);
    }

    /** How many threads a call may use. */
    public static int threads() {
        return Threads.get();
    }

    /**
     * The model in that file; close it to free its memory and code.
     *
     * @throws DamoException "cannot-read" when the system refuses, "bad-file" when it is cut short,
     *     damaged, or no model file, "bad-program" when a program in it does not keep the rules,
     *     "unknown-op" when one uses ops of the application's own
     */
    public static Model load(Path path) {
        return Model.load(path);
    }

    /**
     * The same for a model whose programs use ops of the application's own: {@code kernels} has,
     * by name, a {@link damo.runtime.HostKernel} or {@link damo.runtime.NativeFunction} for each.
     *
     * @throws DamoException besides "unknown-op" when one is missing, "kernel-mismatch" when one is
     *     of another sort or signature than the program was compiled for
     */
    public static Model load(Path path, Map<String, ? extends OpKernel> kernels) {
        return Model.load(path, OpKernels.of(kernels));
    }
}
