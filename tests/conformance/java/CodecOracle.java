// Encodes and decodes Kafka's messages by Kafka's own classes, for a test that compares ours with
// them. It answers framed questions on standard input until that ends:
//
//   question  int32 size | int8 what | int8 flags | int16 version | int16 length, name | content
//   answer    int32 size | int8 0 for an answer, 1 for a refusal in words | content

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.InputStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.UnalignedMemoryRecords;

public final class CodecOracle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PACKAGE = "org.apache.kafka.common.message.";

    /** Adds tagged fields that no schema knows to every struct of the message. */
    private static final int UNKNOWN_TAGS = 1;

    /** What elements of a collection with keys have beside the fields of the schema. */
    private static final Set<String> LINKS = Set.of("next", "prev");

    private record Question(char what, int flags, short version, String name, byte[] content) {}

    public static void main(String[] arguments) throws Exception {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out));
        while (true) {
            Question question;
            try {
                question = read(in);
            } catch (EOFException end) {
                return;
            }
            byte[] answer;
            byte status = 0;
            try {
                answer = answer(question);
            } catch (InvocationTargetException refused) {
                status = 1;
                answer = refused.getCause().toString().getBytes(StandardCharsets.UTF_8);
            } catch (Exception refused) {
                status = 1;
                answer = refused.toString().getBytes(StandardCharsets.UTF_8);
            }
            out.writeInt(1 + answer.length);
            out.writeByte(status);
            out.write(answer);
            out.flush();
        }
    }

    private static Question read(DataInputStream in) throws Exception {
        ByteBuffer bytes = ByteBuffer.wrap(in.readNBytes(in.readInt()));
        char what = (char) bytes.get();
        int flags = bytes.get();
        short version = bytes.getShort();
        byte[] name = new byte[bytes.getShort()];
        bytes.get(name);
        byte[] content = new byte[bytes.remaining()];
        bytes.get(content);
        String text = new String(name, StandardCharsets.UTF_8);
        return new Question(what, flags, version, text, content);
    }

    private static byte[] answer(Question question) throws Exception {
        return switch (question.what) {
            case 'E' -> encode(question);
            case 'D' -> JSON.writeValueAsBytes(decode(question));
            case 'S' -> schema(question.name);
            case 'F' -> JSON.writeValueAsBytes(facts());
            default -> throw new IllegalArgumentException("no question " + question.what);
        };
    }

    private static byte[] encode(Question question) throws Exception {
        JsonNode json = JSON.readTree(question.content);
        Message message = (Message) converter(question.name)
            .getMethod("read", JsonNode.class, short.class)
            .invoke(null, json, question.version);
        if ((question.flags & UNKNOWN_TAGS) != 0) {
            addUnknownTags(message);
        }
        ByteBuffer bytes = MessageUtil.toByteBufferAccessor(message, question.version).buffer();
        return MessageUtil.byteBufferToArray(bytes);
    }

    private static JsonNode decode(Question question) throws Exception {
        Class<?> type = Class.forName(PACKAGE + question.name + "Data");
        Message message = (Message) type.getConstructor().newInstance();
        ByteBufferAccessor bytes = new ByteBufferAccessor(ByteBuffer.wrap(question.content));
        message.read(bytes, question.version);
        if (bytes.remaining() > 0) {
            throw new IllegalArgumentException(bytes.remaining() + " bytes behind the message");
        }
        JsonNode json = (JsonNode) converter(question.name)
            .getMethod("write", type, short.class, boolean.class)
            .invoke(null, message, question.version, true);
        fillRecords(message, json);
        return json;
    }

    private static Class<?> converter(String name) throws Exception {
        return Class.forName(PACKAGE + name + "DataJsonConverter");
    }

    /** Kafka's converters leave out the bytes of records. */
    private static void fillRecords(Message message, JsonNode json) throws Exception {
        for (Field field : fields(message)) {
            Object value = value(message, field);
            JsonNode place = json.get(field.getName());
            if (value instanceof MemoryRecords records) {
                ((ObjectNode) json).set(field.getName(), bytes(records.buffer()));
            } else if (value instanceof UnalignedMemoryRecords records) {
                ((ObjectNode) json).set(field.getName(), bytes(records.buffer()));
            } else if (value instanceof Message one && place != null) {
                fillRecords(one, place);
            } else if (value instanceof Collection<?> elements) {
                int index = 0;
                for (Object element : elements) {
                    if (element instanceof Message one && place != null) {
                        fillRecords(one, place.get(index++));
                    }
                }
            }
        }
    }

    private static BinaryNode bytes(ByteBuffer buffer) {
        return new BinaryNode(MessageUtil.byteBufferToArray(buffer));
    }

    private static void addUnknownTags(Message message) throws Exception {
        message.unknownTaggedFields().add(new RawTaggedField(1000, new byte[] {1, 2, 3, 4, 5}));
        message.unknownTaggedFields().add(new RawTaggedField(100_000, new byte[0]));
        for (Field field : fields(message)) {
            Object value = value(message, field);
            if (value instanceof Collection<?> elements) {
                for (Object element : elements) {
                    if (element instanceof Message one) {
                        addUnknownTags(one);
                    }
                }
            } else if (value instanceof Message one && !isDefault(one)) {
                addUnknownTags(one);
            }
        }
    }

    /** The fields of the schema. */
    private static List<Field> fields(Message message) {
        return Arrays.stream(message.getClass().getDeclaredFields())
            .filter(field -> !Modifier.isStatic(field.getModifiers()))
            .filter(field -> !field.getName().startsWith("_"))
            .filter(field -> !LINKS.contains(field.getName()))
            .toList();
    }

    private static Object value(Message message, Field field) throws Exception {
        return message.getClass().getMethod(field.getName()).invoke(message);
    }

    /** A struct at its default may belong to a field that this version cannot carry. */
    private static boolean isDefault(Message message) throws Exception {
        return message.equals(message.getClass().getConstructor().newInstance());
    }

    private static byte[] schema(String name) throws Exception {
        String path = "common/message/" + name + ".json";
        try (InputStream in = CodecOracle.class.getClassLoader().getResourceAsStream(path)) {
            if (in == null) {
                throw new IllegalArgumentException("no schema " + name);
            }
            return in.readAllBytes();
        }
    }

    private static JsonNode facts() {
        ObjectNode facts = JSON.createObjectNode();
        ArrayNode apis = facts.putArray("apis");
        for (ApiMessageType type : ApiMessageType.values()) {
            ObjectNode api = apis.addObject();
            api.put("key", type.apiKey());
            api.put("name", type.name);
            short first = type.lowestSupportedVersion();
            short last = type.highestSupportedVersion(false);
            api.put("first", first);
            api.put("last", last);
            ArrayNode requestHeaders = api.putArray("requestHeaders");
            ArrayNode responseHeaders = api.putArray("responseHeaders");
            for (short version = first; version <= last; version++) {
                requestHeaders.add(type.requestHeaderVersion(version));
                responseHeaders.add(type.responseHeaderVersion(version));
            }
        }
        ArrayNode errors = facts.putArray("errors");
        for (Errors error : Errors.values()) {
            ObjectNode one = errors.addObject();
            one.put("number", error.code());
            one.put("name", error.name());
            one.put("retriable", error.exception() instanceof RetriableException);
        }
        return facts;
    }
}
