package damo;

import damo.program.Edn;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What to try after a failure, by its kind: entries {@code :damo/kind} of advice.edn. */
final class Advice {
    /** The entry of an exception's data that says what to try. */
    static final String KEY = "try";

    // Null while it is read: a failure of reading itself goes without advice.
    private static final Map<?, ?> BY_KIND = read();

    private Advice() { }

    /** The data with the advice for that kind, unless it has some or there is none. */
    static Map<String, Object> with(String kind, Map<String, Object> data) {
        Object advice = BY_KIND == null ? null : BY_KIND.get(new Edn.Keyword("damo/" + kind));
        if (advice == null || data.containsKey(KEY)) {
            return data;
        }
        Map<String, Object> more = new LinkedHashMap<>(data);
        more.put(KEY, advice);
        return more;
    }

    private static Map<?, ?> read() {
        try (InputStream in = Advice.class.getResourceAsStream("/damo/advice.edn")) {
            return (Map<?, ?>) Edn.read(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
