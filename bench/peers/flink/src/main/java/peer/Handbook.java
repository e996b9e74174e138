// The 14 features of the handbook job in Flink's DataStream API: text file -> keyed by customer -> keyed by terminal -> sink; exact and
// per event, heap state, parallelism 1, an in-process mini cluster. Java 17 and Maven; the build leaves nothing in the repository:
//
//   mvn -q -f bench/peers/flink/pom.xml package dependency:copy-dependencies       # to /tmp/ride-flink
//   java --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED -Xms4g -Xmx4g -Xmn2500m -XX:+UseSerialGC
//        -cp '/tmp/ride-flink/classes:/tmp/ride-flink/dependency/*' peer.Handbook tx.csv RUNS [out.csv]
//
// The job runs RUNS times in one process; the first four are cold (the compiler is still at work) and do not count. Time goes from the
// first line read to the end of the sink: start of the JVM, of the cluster and of the job are not in it. Printed are medians of the warm
// runs: wall and CPU time (of the whole process: collector and compiler too) per event, and the checksum that bench_features prints.
// Without out.csv rows are only added to the checksum.
package peer;

import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

public final class Handbook {
    static final int DAY = 86400;
    static final int COLD = 4;
    static final int[] DAYS = {1, 7, 30};
    static final String HEADER = "TRANSACTION_ID,TX_AMOUNT,weekend,night,customer_count_1d,customer_count_7d,customer_count_30d,"
        + "customer_TX_AMOUNT_mean_1d,customer_TX_AMOUNT_mean_7d,customer_TX_AMOUNT_mean_30d,terminal_count_1d,terminal_count_7d,"
        + "terminal_count_30d,terminal_risk_1d,terminal_risk_7d,terminal_risk_30d\n";

    // Of the run in progress: the cluster is in this process.
    static volatile long startWall, startCpu, endWall, endCpu, events, checksum;

    static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    /** The past of a key: times and running sums in rings, and for each window end the first entry that is younger. */
    public static final class Past {
        int[] seconds = new int[8];
        long[] before = new long[8]; // sum of all earlier ones
        long sum;
        int count;
        final int[] ends;

        Past(int ends) { this.ends = new int[ends]; }

        long before(int i) { return i == count ? sum : before[i & (before.length - 1)]; }

        void append(int second, int value) {
            int oldest = ends[ends.length - 1], size = seconds.length;
            if (count - oldest == size) {
                int[] moreSeconds = new int[2 * size];
                long[] moreBefore = new long[2 * size];
                for (int i = oldest; i < count; i++) {
                    moreSeconds[i & (2 * size - 1)] = seconds[i & (size - 1)];
                    moreBefore[i & (2 * size - 1)] = before[i & (size - 1)];
                }
                seconds = moreSeconds;
                before = moreBefore;
            }
            seconds[count & (seconds.length - 1)] = second;
            before[count & (seconds.length - 1)] = sum;
            count++;
            sum += value;
        }

        int move(int end, int until) {
            int i = ends[end], mask = seconds.length - 1;
            while (i < count && seconds[i & mask] <= until) i++;
            return ends[end] = i;
        }
    }

    public static final class Customers extends KeyedProcessFunction<Integer, Event, Event> {
        private transient ValueState<Past> state;

        @Override public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("customer", Past.class));
        }

        @Override public void processElement(Event event, Context context, Collector<Event> out) throws IOException {
            Past past = state.value(); // heap state hands out the object itself: changed in place
            if (past == null) state.update(past = new Past(3));
            past.append(event.second, event.cents);
            for (int w = 0; w < 3; w++) {
                int edge = past.move(w, event.second - DAYS[w] * DAY), count = past.count - edge;
                event.counts[w] = count;
                event.means[w] = (past.sum - past.before(edge)) / (100.0 * count);
            }
            out.collect(event);
        }
    }

    public static final class Terminals extends KeyedProcessFunction<Integer, Event, Event> {
        private transient ValueState<Past> state;

        @Override public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("terminal", Past.class));
        }

        @Override public void processElement(Event event, Context context, Collector<Event> out) throws IOException {
            Past past = state.value();
            if (past == null) state.update(past = new Past(4));
            past.append(event.second, event.fraud);
            int known = event.second - 7 * DAY, upper = past.move(0, known);
            long frauds = past.before(upper);
            for (int w = 0; w < 3; w++) {
                int edge = past.move(w + 1, known - DAYS[w] * DAY), count = upper - edge;
                event.terminalCounts[w] = count;
                event.risks[w] = count == 0 ? 0 : (double) (frauds - past.before(edge)) / count;
            }
            out.collect(event);
        }
    }

    /** Adds to the checksum; writes a CSV when it has a path. */
    public static final class Rows implements Sink<Event> {
        private final String path;

        Rows(String path) { this.path = path; }

        @Override public SinkWriter<Event> createWriter(WriterInitContext context) throws IOException {
            OutputStream out = path == null ? null : new BufferedOutputStream(new FileOutputStream(path), 1 << 16);
            if (out != null) out.write(HEADER.getBytes(StandardCharsets.US_ASCII));
            return new SinkWriter<>() {
                private final StringBuilder line = new StringBuilder(512);
                private final byte[] bytes = new byte[512];
                private long sum, rows;

                @Override public void write(Event event, Context context) throws IOException {
                    sum += event.bits();
                    rows++;
                    if (out == null) return;
                    line.setLength(0);
                    event.format(line);
                    int length = line.length();
                    for (int i = 0; i < length; i++) bytes[i] = (byte) line.charAt(i);
                    out.write(bytes, 0, length);
                }

                @Override public void flush(boolean end) throws IOException {
                    if (out != null) out.flush();
                }

                @Override public void close() throws IOException {
                    if (out != null) out.close();
                    endWall = System.nanoTime();
                    endCpu = cpu();
                    events = rows;
                    checksum = sum;
                }
            };
        }
    }

    static Event first(String line) {
        if (startWall == 0) {
            startWall = System.nanoTime();
            startCpu = cpu();
        }
        return Event.parse(line);
    }

    static void run(String source, String target) throws Exception {
        startWall = 0;
        Configuration configuration = new Configuration();
        configuration.setString("state.backend.type", "hashmap");
        configuration.setString("rest.port", "0");
        configuration.setString("rest.bind-port", "0");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, configuration);
        env.getConfig().enableObjectReuse(); // no copies between chained operators
        FileSource<String> text = FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(source)).build();
        EventType plain = new EventType(false), complete = new EventType(true);
        env.fromSource(text, WatermarkStrategy.noWatermarks(), "text")
            .filter(line -> line.charAt(0) != 'T')
            .map(Handbook::first).returns(plain)
            .keyBy((KeySelector<Event, Integer>) event -> event.customer, Types.INT).process(new Customers()).returns(complete)
            .keyBy((KeySelector<Event, Integer>) event -> event.terminal, Types.INT).process(new Terminals()).returns(complete)
            .sinkTo(new Rows(target));
        env.execute("handbook");
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int n = sorted.length;
        return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    }

    public static void main(String[] arguments) throws Exception {
        int runs = Integer.parseInt(arguments[1]);
        String target = arguments.length > 2 ? arguments[2] : null;
        double[] wall = new double[runs - COLD], cpu = new double[runs - COLD];
        for (int i = 0; i < runs; i++) {
            run(arguments[0], target);
            double wallPerEvent = (double) (endWall - startWall) / events, cpuPerEvent = (double) (endCpu - startCpu) / events;
            System.out.printf("  run %d: %d events, wall %.1f, CPU %.1f ns/event, sum %016x%s%n", i, events, wallPerEvent, cpuPerEvent,
                checksum, i < COLD ? " (cold)" : "");
            if (i >= COLD) {
                wall[i - COLD] = wallPerEvent;
                cpu[i - COLD] = cpuPerEvent;
            }
        }
        System.out.printf("wall_ns_per_event=%.1f%ncpu_ns_per_event=%.1f%nchecksum=%016x%n", median(wall), median(cpu), checksum);
        System.exit(0);
    }
}
