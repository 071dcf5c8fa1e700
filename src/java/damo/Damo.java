package damo;

import damo.runtime.Model;
import java.nio.file.Path;

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
     * The model in that file; close it to free its memory and code.
     *
     * @throws DamoException "cannot-read" when the system refuses, "bad-file" when it is cut short,
     *     damaged, or no model file, "bad-program" when a program in it does not keep the rules
     */
    public static Model load(Path path) {
        return Model.load(path);
    }
}
