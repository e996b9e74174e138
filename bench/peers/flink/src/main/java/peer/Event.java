package peer;

/** A transaction; after the two keyed stages with its features. */
public final class Event {
    int id, second, customer, terminal, cents;
    byte fraud;
    final int[] counts = new int[3], terminalCounts = new int[3];
    final double[] means = new double[3], risks = new double[3];

    /** TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO */
    static Event parse(String line) {
        Event event = new Event();
        int at = 0, column = 0, value = 0, decimals = -1;
        for (int length = line.length(); at <= length && column < 8; at++) {
            char c = at < length ? line.charAt(at) : ',';
            if (c == ',') {
                switch (column++) {
                    case 0 -> {
                        event.id = value;
                        at += 20; // the date: seconds are taken from their own column
                        column = 2;
                    }
                    case 2 -> event.customer = value;
                    case 3 -> event.terminal = value;
                    case 4 -> event.cents = switch (decimals) {
                        case 1 -> value * 10;
                        case 2 -> value;
                        case 3 -> (value + 5) / 10; // the file has amounts like 85.64999999999999
                        default -> value * 100;
                    };
                    case 5 -> event.second = value;
                    case 7 -> event.fraud = (byte) value;
                    default -> { }
                }
                value = 0;
                decimals = -1;
            } else if (c == '.') {
                decimals = 0;
            } else if (decimals < 3) {
                value = value * 10 + (c - '0');
                if (decimals >= 0) decimals++;
            }
        }
        return event;
    }

    int weekend() { return (second / Handbook.DAY + 6) % 7 >= 5 ? 1 : 0; } // second 0 is a Sunday

    int night() { return second % Handbook.DAY / 3600 <= 6 ? 1 : 0; }

    long bits() {
        long sum = Double.doubleToRawLongBits(weekend()) + Double.doubleToRawLongBits(night());
        for (int w = 0; w < 3; w++)
            sum += Double.doubleToRawLongBits(counts[w]) + Double.doubleToRawLongBits(means[w])
                + Double.doubleToRawLongBits(terminalCounts[w]) + Double.doubleToRawLongBits(risks[w]);
        return sum;
    }

    void format(StringBuilder out) {
        out.append(id).append(',').append(cents / 100).append('.').append((char) ('0' + cents / 10 % 10)).append((char) ('0' + cents % 10));
        out.append(',').append(weekend()).append(',').append(night());
        for (int w = 0; w < 3; w++) out.append(',').append(counts[w]);
        for (int w = 0; w < 3; w++) out.append(',').append(means[w]);
        for (int w = 0; w < 3; w++) out.append(',').append(terminalCounts[w]);
        for (int w = 0; w < 3; w++) out.append(',').append(risks[w]);
        out.append('\n');
    }
}
