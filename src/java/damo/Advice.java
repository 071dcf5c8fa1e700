package damo;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What to try after a failure, by its kind: the entries {@code :damo/kind "text"} of advice.edn.
 * They are found as they are written: the reader of EDN itself throws what has advice.
 */
final class Advice {
    /** The entry of an exception's data that says what to try. */
    static final String KEY = "try";

    private static final Pattern ENTRY =
            Pattern.compile(":damo/([\\w-]+)\\s+\"((?:[^\"\\\\]|\\\\.)*)\"");
    private static final Map<String, String> BY_KIND = read();

    private Advice() { }

    /** The data with the advice for that kind, unless it has some or there is none. */
    static Map<String, Object> with(String kind, Map<String, Object> data) {
        String advice = BY_KIND.get(kind);
        if (advice == null || data.containsKey(KEY)) {
            return data;
        }
        Map<String, Object> more = new LinkedHashMap<>(data);
        more.put(KEY, advice);
        return more;
    }

    private static Map<String, String> read() {
        Map<String, String> byKind = new HashMap<>();
        String text = Resources.find("advice.edn");
        Matcher m = ENTRY.matcher(text == null ? "" : text);
        while (m.find()) {
            byKind.put(m.group(1), m.group(2).translateEscapes());
        }
        return byKind;
    }
}
