package peer;

import java.io.IOException;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Serializers by hand: 21 bytes between source and customers; then with the customer's features, 57. Flink's own for classes do more. */
public final class EventType extends TypeInformation<Event> {
    private final boolean features;

    EventType(boolean features) { this.features = features; }

    @Override public boolean isBasicType() { return false; }
    @Override public boolean isTupleType() { return false; }
    @Override public int getArity() { return 1; }
    @Override public int getTotalFields() { return 1; }
    @Override public Class<Event> getTypeClass() { return Event.class; }
    @Override public boolean isKeyType() { return false; }
    @Override public TypeSerializer<Event> createSerializer(SerializerConfig config) { return features ? new Complete() : new Plain(); }
    @Override public String toString() { return "Event"; }
    @Override public boolean equals(Object other) { return other instanceof EventType that && that.features == features; }
    @Override public int hashCode() { return features ? 1 : 0; }
    @Override public boolean canEqual(Object other) { return other instanceof EventType; }

    public static class Plain extends TypeSerializerSingleton<Event> {
        @Override public boolean isImmutableType() { return false; }
        @Override public Event createInstance() { return new Event(); }
        @Override public int getLength() { return 21; }

        @Override public Event copy(Event from) { return copy(from, new Event()); }

        @Override public Event copy(Event from, Event to) {
            to.id = from.id;
            to.second = from.second;
            to.customer = from.customer;
            to.terminal = from.terminal;
            to.cents = from.cents;
            to.fraud = from.fraud;
            for (int w = 0; w < 3; w++) {
                to.counts[w] = from.counts[w];
                to.means[w] = from.means[w];
                to.terminalCounts[w] = from.terminalCounts[w];
                to.risks[w] = from.risks[w];
            }
            return to;
        }

        @Override public void copy(DataInputView from, DataOutputView to) throws IOException { serialize(deserialize(from), to); }

        @Override public void serialize(Event event, DataOutputView to) throws IOException {
            to.writeInt(event.id);
            to.writeInt(event.second);
            to.writeInt(event.customer);
            to.writeInt(event.terminal);
            to.writeInt(event.cents);
            to.writeByte(event.fraud);
        }

        @Override public Event deserialize(DataInputView from) throws IOException { return deserialize(new Event(), from); }

        @Override public Event deserialize(Event event, DataInputView from) throws IOException {
            event.id = from.readInt();
            event.second = from.readInt();
            event.customer = from.readInt();
            event.terminal = from.readInt();
            event.cents = from.readInt();
            event.fraud = from.readByte();
            return event;
        }

        @Override public TypeSerializerSnapshot<Event> snapshotConfiguration() { return new PlainSnapshot(); }
    }

    public static final class Complete extends Plain {
        @Override public int getLength() { return 21 + 36; }

        @Override public void serialize(Event event, DataOutputView to) throws IOException {
            super.serialize(event, to);
            for (int w = 0; w < 3; w++) {
                to.writeInt(event.counts[w]);
                to.writeDouble(event.means[w]);
            }
        }

        @Override public Event deserialize(Event event, DataInputView from) throws IOException {
            super.deserialize(event, from);
            for (int w = 0; w < 3; w++) {
                event.counts[w] = from.readInt();
                event.means[w] = from.readDouble();
            }
            return event;
        }

        @Override public TypeSerializerSnapshot<Event> snapshotConfiguration() { return new CompleteSnapshot(); }
    }

    public static final class PlainSnapshot extends SimpleTypeSerializerSnapshot<Event> {
        public PlainSnapshot() { super(Plain::new); }
    }

    public static final class CompleteSnapshot extends SimpleTypeSerializerSnapshot<Event> {
        public CompleteSnapshot() { super(Complete::new); }
    }
}
