package damo.edn;

/** What EDN writes without brackets or quotes: numbers, keywords, symbols, nil, true, false. */
final class EdnAtoms {
    private EdnAtoms() { }

    /** The value that the text (not empty, no blanks) stands for, or IllegalArgumentException. */
    static Object read(String text) {
        char c = text.charAt(0);
        char d = text.length() > 1 ? text.charAt(1) : ' ';
        if (digit(c) || (c == '-' || c == '+') && digit(d)) {
            return number(text);
        }
        if (c == ':') {
            if (text.length() == 1 || d == ':' || d == '/' && text.length() > 2
                    || text.endsWith(":")) {
                throw new IllegalArgumentException("not a keyword: " + text);
            }
            return new Edn.Keyword(text.substring(1));
        }
        return switch (text) {
            case "nil" -> null;
            case "true" -> true;
            case "false" -> false;
            case "##Inf" -> Double.POSITIVE_INFINITY;
            case "##-Inf" -> Double.NEGATIVE_INFINITY;
            case "##NaN" -> Double.NaN;
            default -> symbol(text, c, d);
        };
    }

    private static Edn.Symbol symbol(String text, char c, char d) {
        if ("^@`~'#".indexOf(c) >= 0 || c == '.' && digit(d)) {
            throw new IllegalArgumentException("not EDN: " + text);
        }
        return new Edn.Symbol(text);
    }

    private static Object number(String text) {
        int first = digit(text.charAt(0)) ? 0 : 1;
        int last = text.length() - 1;
        int fraction = digits(text, first);
        if (fraction - first > 1 && text.charAt(first) == '0') {
            throw new IllegalArgumentException("a number does not begin with 0: " + text);
        }
        boolean big = fraction == last && text.charAt(last) == 'N';
        if (big || fraction > last) {
            try {
                return Long.parseLong(big ? text.substring(0, last) : text);
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("an integer beyond 64 bits: " + text, e);
            }
        }
        if (!decimal(text, fraction)) {
            throw new IllegalArgumentException("not a number that is read here "
                    + "(integers of 64 bits and doubles are): " + text);
        }
        return Double.parseDouble(text);
    }

    /** Whether [.digits][e[sign]digits] follows; ratios, radixes and M do not. */
    private static boolean decimal(String text, int from) {
        int i = text.charAt(from) == '.' ? digits(text, from + 1) : from;
        if (i < text.length() && (text.charAt(i) == 'e' || text.charAt(i) == 'E')) {
            i++;
            if (i < text.length() && (text.charAt(i) == '-' || text.charAt(i) == '+')) {
                i++;
            }
            int exponent = i;
            i = digits(text, i);
            if (i == exponent) {
                return false;
            }
        }
        return i == text.length();
    }

    /** The position after the digits that begin at {@code from}. */
    private static int digits(String text, int from) {
        int i = from;
        while (i < text.length() && digit(text.charAt(i))) {
            i++;
        }
        return i;
    }

    private static boolean digit(char c) {
        return c >= '0' && c <= '9';
    }
}
