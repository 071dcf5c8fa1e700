package damo.program;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Runs steps again and again, in rounds 0 … {@code extent}-1.
 *
 * @param var     the dimension that the number of the round is inside
 * @param extent  how many rounds at most; null for no bound
 * @param until   a buffer of a truth value that ends the loop after a round; -1 for none
 * @param unless  one that holds it off altogether; -1 for none
 * @param count   the counted dimension that the number of rounds made becomes; null for none
 * @param counted the dimensions that the steps count, anew in each round
 * @param steps   what a round does
 * @param note    what the loop is, for messages; -1 for none
 */
public record Loop(String var, Size extent, int until, int unless, String count,
                   List<Program.Counted> counted, List<Step> steps, int note) implements Step {
    /** More rounds no loop makes: so many take decades. Sizes of them are far from 64 bits. */
    public static final long MOST_ROUNDS = 1L << 60;

    @Override
    public String text() {
        return "loop    " + var + (extent == null ? "" : " < " + Sizes.show(extent));
    }

    @Override
    public List<Access> accesses() {
        return element(":unless", unless);
    }

    @Override
    public List<Access> closing() {
        return element(":until", until);
    }

    private static List<Access> element(String what, int buffer) {
        return buffer < 0 ? List.of() : List.of(new Access(what, buffer, Access.Mode.READ,
                Access.Region.ELEMENT));
    }

    @Override
    public List<List<Step>> lists() {
        return List.of(steps);
    }

    @Override
    public List<Size> sizes() {
        List<Size> all = new ArrayList<>();
        Stream.concat(Stream.ofNullable(extent), counted.stream().map(Program.Counted::max))
                .filter(size -> size != null).forEach(all::add);
        return all;
    }

    @Override
    public List<Program.Counted> counts() {
        return counted;
    }

    @Override
    public String turn() {
        return var;
    }

    @Override
    public int reports() {
        return count == null ? -1 : note;
    }

    /** Whether at least one round is made, whatever the dimensions are. */
    public boolean sure() {
        return unless < 0 && (extent == null || extent instanceof Size.Int n && n.value() > 0);
    }
}
