// Runs Kafka's command-line tools one after another in one JVM, whose start would cost more than
// they do, and tells how each one ended and what it printed.
//
//   java Tools < STEPS
//
// Each line of the input is a step, each line of the output its outcome, both JSON:
//
//   {"tool": MAIN CLASS, "arguments": [...], "input": STANDARD INPUT, "until": OUTPUT OR NULL}
//   {"status": EXIT STATUS, "output": WHAT IT WROTE TO STANDARD OUTPUT AND ERROR}
//
// A step that is to print something is run again until it does, for a few seconds.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import org.apache.kafka.common.utils.Exit;
import org.slf4j.LoggerFactory;

public final class Tools {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int TRIES = 50;
    private static final int PAUSE_MS = 100;

    /** The status of the first exit that a step asked for, and what it had written until then. */
    private static Integer status;
    private static String written;
    private static ByteArrayOutputStream output;

    /** What a JVM would do at its end: some tools send their last records then. */
    private static final List<Runnable> atEnd = new ArrayList<>();

    @SuppressWarnings("serial")
    private static final class Ended extends Error {}

    public static void main(String[] none) throws Exception {
        // The log keeps the standard error of its first moment.
        LoggerFactory.getLogger(Tools.class);
        Exit.setExitProcedure((code, message) -> end(code));
        Exit.setHaltProcedure((code, message) -> end(code));
        Exit.setShutdownHookAdder((name, action) -> atEnd.add(action));
        PrintStream answers = System.out;
        InputStreamReader input = new InputStreamReader(System.in, StandardCharsets.UTF_8);
        BufferedReader steps = new BufferedReader(input);
        for (String line = steps.readLine(); line != null; line = steps.readLine()) {
            answers.println(JSON.writeValueAsString(run(JSON.readTree(line))));
        }
        answers.flush();
        // A tool may have left threads behind.
        Runtime.getRuntime().halt(0);
    }

    /** Tools catch what ends them, and talk about it: nobody would hear that. */
    private static synchronized void end(int code) {
        if (status == null) {
            status = code;
            written = output.toString(StandardCharsets.UTF_8);
        }
        throw new Ended();
    }

    private static JsonNode run(JsonNode step) throws Exception {
        JsonNode until = step.path("until");
        JsonNode outcome = runOnce(step);
        for (int tries = 1; until.isTextual() && tries < TRIES; tries++) {
            if (outcome.get("output").asText().strip().equals(until.asText())) {
                break;
            }
            Thread.sleep(PAUSE_MS);
            outcome = runOnce(step);
        }
        return outcome;
    }

    private static JsonNode runOnce(JsonNode step) throws Exception {
        String[] arguments = StreamSupport.stream(step.get("arguments").spliterator(), false)
            .map(JsonNode::asText)
            .toArray(String[]::new);
        byte[] input = step.get("input").asText().getBytes(StandardCharsets.UTF_8);
        output = new ByteArrayOutputStream();
        PrintStream captured = new PrintStream(output, true, StandardCharsets.UTF_8);
        InputStream usualIn = System.in;
        PrintStream usualOut = System.out;
        PrintStream usualErr = System.err;
        System.setIn(new ByteArrayInputStream(input));
        System.setOut(captured);
        System.setErr(captured);
        status = null;
        written = null;
        try {
            Class.forName(step.get("tool").asText())
                .getMethod("main", String[].class)
                .invoke(null, (Object) arguments);
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Ended)) {
                // What a JVM does with what nobody catches.
                thrown.getCause().printStackTrace();
                status = status == null ? 1 : status;
            }
        } finally {
            atEnd.forEach(Runnable::run);
            atEnd.clear();
            System.setIn(usualIn);
            System.setOut(usualOut);
            System.setErr(usualErr);
        }
        return JSON.createObjectNode()
            .put("status", status == null ? 0 : status)
            .put("output", written == null ? output.toString(StandardCharsets.UTF_8) : written);
    }
}
