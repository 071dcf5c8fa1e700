package damo.verify;

import damo.program.Program;
import damo.program.Step;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** What was found out about each kernel, until a round that it mentions is another loop's. */
final class PerKernel<T> {
    private final List<T> known = new ArrayList<>();
    /** The kernels that mention the rounds of loops. */
    private final Map<String, List<Integer>> mentioning = new HashMap<>();

    PerKernel(Program program) {
        Set<String> turns = new HashSet<>();
        program.all().stream().map(Step::turn).filter(var -> var != null).forEach(turns::add);
        for (int id = 0; id < program.kernels().size(); id++) {
            known.add(null);
            if (!turns.isEmpty()) {
                Set<String> mentioned = program.kernels().get(id).mentions();
                mentioned.retainAll(turns);
                for (String turn : mentioned) {
                    mentioning.computeIfAbsent(turn, t -> new ArrayList<>()).add(id);
                }
            }
        }
    }

    /** What is known of kernel number {@code id}, or is found out now. */
    T get(int id, Supplier<T> find) {
        if (known.get(id) == null) {
            known.set(id, find.get());
        }
        return known.get(id);
    }

    /** Forgets what depends on the rounds of a loop, which is over. */
    void forget(String turn) {
        mentioning.getOrDefault(turn, List.of()).forEach(id -> known.set(id, null));
    }
}
