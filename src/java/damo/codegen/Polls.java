package damo.codegen;

import damo.program.Branch;
import damo.program.Kernel;
import damo.program.Loop;
import damo.program.Program;
import damo.program.Size;
import damo.program.Step;
import damo.verify.Effects;
import java.util.List;

/**
 * Where a call looks whether it shall stop, which the fourth word of its failure record says:
 * between steps, and in kernels at each round of a loop around loops. Never after a step has begun
 * to write state that was not saved, so that a call that stops leaves the state as it was.
 */
final class Polls {
    /** Looks between steps are at most so many, for the sake of long programs of short steps. */
    private static final int MOST = 64;
    /** A loop of so many rounds is over soon. */
    private static final int FEW = 64;
    /** Rounds that take some nanoseconds each look once in so many. */
    private static final int SHORT = 1024;

    private final boolean[] kernels;
    private final int end;
    private final int every;

    private Polls(Program p) {
        this.end = Effects.stoppable(p);
        List<Step> steps = p.all();
        this.every = steps.size() / MOST + 1;
        this.kernels = new boolean[p.kernels().size()];
        for (int k = 0; k < kernels.length; k++) {
            kernels[k] = nested(p.kernels().get(k).body());
        }
        for (Step step : steps.subList(end, steps.size())) {
            if (step instanceof Step.RunKernel r) {
                kernels[r.number()] = false;
            }
        }
    }

    /** Where the calls of a program look. */
    static Polls of(Program p) {
        return new Polls(p);
    }

    /** Whether kernel number k looks in its loops. */
    boolean kernel(int k) {
        return kernels[k];
    }

    /** Whether the call looks before step number i. */
    boolean before(int i) {
        return i > 0 && i <= end && i % every == 0;
    }

    /** Whether a loop of steps looks in its rounds: none writes state, and they may be many. */
    boolean rounds(int number, Loop loop) {
        return number < end && !(loop.extent() instanceof Size.Int n && n.value() <= FEW
                && plain(loop.steps()));
    }

    /** In which rounds it looks: a power of two. Short ones are not made longer by a look each. */
    int every(Loop loop) {
        return plain(loop.steps()) ? SHORT : 1;
    }

    private static boolean plain(List<Step> steps) {
        return steps.stream().allMatch(step -> switch (step) {
            case Step.RunKernel k -> k.kernel().body().stream().noneMatch(Polls::loops);
            case Step.Count c -> true;
            case Step.Block b -> plain(b.steps());
            case Branch b -> b.cases().stream().allMatch(Polls::plain);
            default -> false;
        });
    }

    /** Whether a loop looks: it is around others, and not around a few rounds of them only. */
    static boolean around(Kernel.For loop) {
        return loop.body().stream().anyMatch(Polls::loops);
    }

    private static boolean nested(List<Kernel.Stmt> body) {
        return body.stream().anyMatch(s -> s instanceof Kernel.For f && around(f)
                || nested(s.inner()));
    }

    private static boolean loops(Kernel.Stmt s) {
        return s instanceof Kernel.For f && !(f.extent() instanceof Size.Int i && i.value() <= FEW)
                || s.inner().stream().anyMatch(Polls::loops);
    }
}
