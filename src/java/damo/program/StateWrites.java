package damo.program;

import java.util.List;

/** Which steps of a program write its state. */
public final class StateWrites {
    private StateWrites() { }

    /** Whether that step writes state. */
    public static boolean writes(Program p, Program.Step step) {
        return switch (step) {
            case Program.Gemm g -> isState(p, g.c().buffer());
            case Program.RunKernel r -> {
                boolean writes = false;
                List<Kernel.Param> params = p.kernels().get(r.kernel()).params();
                for (int i = 0; i < r.args().size(); i++) {
                    writes |= params.get(i).access() != Kernel.Access.IN
                            && isState(p, r.args().get(i));
                }
                yield writes;
            }
            case Program.Count c -> false;
            case Program.RunHost h -> isState(p, h.out().buffer());
        };
    }

    /** The number of the first step that writes state, or of all steps when none does. */
    public static int first(Program p) {
        int step = 0;
        while (step < p.steps().size() && !writes(p, p.steps().get(step))) {
            step++;
        }
        return step;
    }

    private static boolean isState(Program p, int buffer) {
        return p.buffers().get(buffer).kind() == Program.Kind.STATE;
    }
}
