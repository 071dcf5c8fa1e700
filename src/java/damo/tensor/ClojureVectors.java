package damo.tensor;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Nested values as Clojure users expect them: persistent vectors when Clojure is on the class path,
 * unmodifiable lists otherwise. The one place of the core that looks a class up by name.
 */
final class ClojureVectors {
    private static final MethodHandle OWNING = find();

    private ClojureVectors() { }

    /** An immutable list of those values, which takes the array over. */
    static List<?> of(Object[] values) {
        if (OWNING == null) {
            return Collections.unmodifiableList(Arrays.asList(values));
        }
        try {
            return (List<?>) (Object) OWNING.invokeExact(values);
        } catch (Throwable e) {
            throw new AssertionError("createOwning threw", e);
        }
    }

    private static MethodHandle find() {
        try {
            ClassLoader loader = ClojureVectors.class.getClassLoader();
            Class<?> maker = Class.forName("clojure.lang.LazilyPersistentVector", true, loader);
            Class<?> vector = Class.forName("clojure.lang.IPersistentVector", false, loader);
            return MethodHandles.publicLookup()
                    .findStatic(maker, "createOwning", MethodType.methodType(vector,
                            Object[].class))
                    .asFixedArity()
                    .asType(MethodType.methodType(Object.class, Object[].class));
        } catch (ReflectiveOperationException | LinkageError e) {
            // No Clojure here: plain lists it is.
            return null;
        }
    }
}
