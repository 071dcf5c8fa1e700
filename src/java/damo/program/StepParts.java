package damo.program;

import damo.tensor.DType;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;

/** What steps of all kinds are made of: sizes, buffers of a dtype, factors. */
record StepParts(List<Program.Buffer> buffers, BiConsumer<String, Where> dims) {
    /** The size at a key. */
    Size size(Fields f, String key, Where where) {
        return size(f.required(key), where);
    }

    /** A size. */
    Size size(Object form, Where where) {
        return Sizes.parse(form, n -> dims.accept(n, where), false, where);
    }

    /** A number, or element 0 of a buffer. */
    Step.Scale scale(Object form, String name, DType dtype, Where where) {
        if (form instanceof Number) {
            return new Step.Scale(Literals.floating(dtype, form, where), -1);
        }
        return new Step.Scale(0, buffer(new Fields(form, where, Set.of("buffer")), ":" + name,
                dtype, where));
    }

    /** The buffer that {@code f} names, which must be of that dtype. */
    int buffer(Fields f, String name, DType dtype, Where where) {
        int id = f.id("buffer", buffers.size());
        if (buffers.get(id).dtype() != dtype) {
            throw where.bad(name + ", buffer " + id + ", is of :" + buffers.get(id).dtype().label()
                    + ", expected :" + dtype.label());
        }
        return id;
    }
}
