package tracing

import (
	"cmp"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// A record is what is used of one in an event, whichever service it is of.
type record struct {
	EventSource    string                          `json:"eventSource"` // SNS spells it EventSource, which encoding/json takes too
	EventSourceARN string                          `json:"eventSourceARN"`
	EventName      string                          `json:"eventName"`
	MessageID      string                          `json:"messageId"`
	Attributes     struct{ AWSTraceHeader string } `json:"attributes"`
	SNS            struct {
		TopicARN string `json:"TopicArn"`
	} `json:"Sns"`
	S3 struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
	} `json:"s3"`
}

// destination is the name of the queue or the topic.
func (r *record) destination() string {
	arn := cmp.Or(r.SNS.TopicARN, r.EventSourceARN)
	return arn[strings.LastIndexByte(arn, ':')+1:]
}

// collection is the name of the table or the bucket.
func (r *record) collection() string {
	if r.S3.Bucket.Name != "" {
		return r.S3.Bucket.Name
	}
	_, table, _ := strings.Cut(r.EventSourceARN, ":table/")
	table, _, _ = strings.Cut(table, "/")
	return table
}

// operation is what happened to the document.
func (r *record) operation() string {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.EventName, "s3:"), ":")
	switch name {
	case "INSERT", "ObjectCreated":
		return "insert"
	case "MODIFY":
		return "edit"
	case "REMOVE", "ObjectRemoved", "LifecycleExpiration":
		return "delete"
	}
	return ""
}

// fromRecords is the source of an event of records, as the first one has it.
func fromRecords(all []record) source {
	if len(all) == 0 {
		return source{trigger: triggerOther}
	}
	records := func() []record { return all }
	switch all[0].EventSource {
	case "aws:sqs":
		return messages(semconv.MessagingSystemAWSSQS, records)
	case "aws:sns":
		return messages(semconv.MessagingSystemAWSSNS, records)
	case "aws:kinesis":
		return source{trigger: triggerPubSub}
	case "aws:dynamodb", "aws:s3":
		return documents(records)
	}
	return source{trigger: triggerOther}
}

func fromSQS(e *events.SQSEvent) source {
	if e == nil {
		return source{trigger: triggerPubSub}
	}
	return messages(semconv.MessagingSystemAWSSQS, recordsOf(e.Records, func(m *events.SQSMessage) record {
		r := record{EventSourceARN: m.EventSourceARN, MessageID: m.MessageId}
		r.Attributes.AWSTraceHeader = m.Attributes["AWSTraceHeader"]
		return r
	}))
}

func fromSNS(e *events.SNSEvent) source {
	if e == nil {
		return source{trigger: triggerPubSub}
	}
	return messages(semconv.MessagingSystemAWSSNS, recordsOf(e.Records, func(m *events.SNSEventRecord) (r record) {
		r.SNS.TopicARN = m.SNS.TopicArn
		return r
	}))
}

func fromDynamoDB(e *events.DynamoDBEvent) source {
	if e == nil {
		return source{trigger: triggerDatasource}
	}
	return documents(recordsOf(e.Records, func(d *events.DynamoDBEventRecord) record {
		return record{EventSourceARN: d.EventSourceArn, EventName: d.EventName}
	}))
}

func fromS3(e *events.S3Event) source {
	if e == nil {
		return source{trigger: triggerDatasource}
	}
	return documents(recordsOf(e.Records, func(d *events.S3EventRecord) record {
		r := record{EventName: d.EventName}
		r.S3.Bucket.Name = d.S3.Bucket.Name
		return r
	}))
}

// recordsOf is the records of a decoded event, when they are asked for.
func recordsOf[R any](decoded []R, of func(*R) record) func() []record {
	return func() []record {
		records := make([]record, len(decoded))
		for i := range decoded {
			records[i] = of(&decoded[i])
		}
		return records
	}
}

// messages is the source of messages, with what all of them agree in and a link to where each was sent.
func messages(system attribute.KeyValue, records func() []record) source {
	return source{trigger: triggerPubSub, details: func() ([]attribute.KeyValue, []trace.Link) {
		all := records()
		kvs := []attribute.KeyValue{system, semconv.MessagingOperationTypeProcess, semconv.MessagingBatchMessageCount(len(all))}
		if d := common(all, (*record).destination); d != "" {
			kvs = append(kvs, semconv.MessagingDestinationName(d))
		}
		var links []trace.Link
		for _, r := range all {
			if c := parseXRay(r.Attributes.AWSTraceHeader); c.IsValid() {
				links = append(links, trace.Link{SpanContext: c, Attributes: []attribute.KeyValue{semconv.MessagingMessageID(text(r.MessageID))}})
			}
		}
		return kvs, links
	}}
}

// documents is the source of changes, with what all of them agree in.
func documents(records func() []record) source {
	return source{trigger: triggerDatasource, details: func() (kvs []attribute.KeyValue, _ []trace.Link) {
		all := records()
		if c := common(all, (*record).collection); c != "" {
			kvs = append(kvs, semconv.FaaSDocumentCollection(c))
		}
		if o := common(all, (*record).operation); o != "" {
			kvs = append(kvs, semconv.FaaSDocumentOperationKey.String(o))
		}
		return kvs, nil
	}}
}

// common is what something is of all records, or nothing.
func common(records []record, of func(*record) string) string {
	if len(records) == 0 {
		return ""
	}
	first := of(&records[0])
	for i := range records {
		if of(&records[i]) != first {
			return ""
		}
	}
	return text(first)
}
