package damo.codegen;

import damo.program.Program;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** The way from a program to the text of an LLVM module. */
public final class Codegen {
    private Codegen() { }

    /**
     * The module that defines {@code damo_call} and {@code damo_repeat} of docs/program.md, with
     * loops written for vectors of that machine (of 128, 256 or 512 bits). Kernels lie in texts
     * of their own. Throws kind {@code "codegen"} for an instruction or dtype that cannot be
     * translated. {@code library} has the products that are left to the BLAS.
     */
    public static LlvmModule module(Program program, Target target, LibraryUse library) {
        int vectorBits = target.vectorBits();
        boolean halves = target.halves();
        Polls polls = Polls.of(program);
        Kernels kernels = Kernels.of(program, polls, vectorBits, halves);
        Outside outside = new Outside();
        CallParts parts = new CallParts(program, kernels, polls);
        String call = CallWriter.write(parts, outside, new Products(outside, target, library));
        Foreign.tell(program, outside);
        Sorts.tell(program, outside, vectorBits);
        kernels.tell(outside, vectorBits);
        String attributes = Attributes.text(vectorBits);
        List<LlvmModule.Text> texts = new ArrayList<>();
        kernels.texts().forEach(text -> texts.add(new LlvmModule.Text(text + attributes,
                LlvmModule.Kind.LOOPS)));
        parts.loops.forEach(text -> texts.add(new LlvmModule.Text(text + attributes,
                LlvmModule.Kind.LOOPS)));
        texts.add(new LlvmModule.Text(outside.declarations() + "\n"
                + call + attributes, LlvmModule.Kind.STEPS));
        return new LlvmModule(texts, outside.externals(), outside.shared());
    }

    /** The same for a machine without instructions for pairs of bf16. */
    public static LlvmModule module(Program program, int vectorBits, boolean halves,
                                    LibraryUse library) {
        return module(program, new Target(vectorBits, halves, false), library);
    }

    /** The same for one without instructions for f16, all products being Damo's own. */
    public static LlvmModule module(Program program, int vectorBits) {
        return module(program, vectorBits, false, LibraryUse.NONE);
    }

    /**
     * The module that defines the function {@code damo.product} of a dtype, f32 or f64, of
     * docs/decisions/0043-products-and-threads.md; the name is {@link #productName}.
     */
    public static LlvmModule product(DType t, int vectorBits) {
        return TiledProduct.module(Inputs.same(t, vectorBits));
    }

    /** The name of that function. */
    public static String productName(DType t, int vectorBits) {
        return TiledProduct.name(Inputs.same(t, vectorBits));
    }
}
