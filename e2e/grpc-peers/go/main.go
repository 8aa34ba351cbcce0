// A gRPC application for tests, alike in each language: see ../node/peer.mjs.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const method = "/weft.test.Echo/Call"

type echo struct {
	name  string
	mutex sync.Mutex
	tries map[string]int
}

func (e *echo) call(message string) (string, error) {
	verb, id, hasID := strings.Cut(message, ":")
	e.mutex.Lock()
	defer e.mutex.Unlock()
	before := e.tries[id]
	if verb == "count" {
		return strconv.Itoa(before), nil
	}
	if hasID {
		e.tries[id] = before + 1
	}
	if verb == "fail" || (verb == "flaky" && before == 0) {
		return "", status.Error(codes.Unavailable, "as asked")
	}
	return e.name, nil
}

func description() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "weft.test.Echo",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Call",
			Handler: func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
				handle := func(_ context.Context, request any) (any, error) {
					answer, err := srv.(*echo).call(request.(*wrapperspb.StringValue).GetValue())
					if err != nil {
						return nil, err
					}
					return wrapperspb.String(answer), nil
				}
				request := new(wrapperspb.StringValue)
				if err := decode(request); err != nil {
					return nil, err
				}
				if intercept == nil {
					return handle(ctx, request)
				}
				info := &grpc.UnaryServerInfo{Server: srv, FullMethod: method}
				return intercept(ctx, request, info, handle)
			},
		}},
	}
}

type registrar interface {
	grpc.ServiceRegistrar
	Serve(net.Listener) error
}

func serve(where, name string, isPlain bool) error {
	listener, err := net.Listen("tcp4", where)
	if err != nil {
		return err
	}
	var server registrar
	if isPlain {
		server = grpc.NewServer()
	} else {
		creds, err := xdscreds.NewServerCredentials(xdscreds.ServerOptions{FallbackCreds: insecure.NewCredentials()})
		if err != nil {
			return err
		}
		if server, err = xds.NewGRPCServer(grpc.Creds(creds)); err != nil {
			return err
		}
	}
	server.RegisterService(description(), &echo{name: name, tries: map[string]int{}})
	return server.Serve(listener)
}

func call(target, where string, isPlain bool) error {
	creds := insecure.NewCredentials()
	if !isPlain {
		var err error
		if creds, err = xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: creds}); err != nil {
			return err
		}
	}
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		return err
	}
	once := func(message, to string) string {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if to != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "to", to)
		}
		answer := new(wrapperspb.StringValue)
		if err := connection.Invoke(ctx, method, wrapperspb.String(message), answer); err != nil {
			failed := status.Convert(err)
			return screaming(failed.Code()) + ": " + failed.Message()
		}
		return answer.GetValue()
	}
	return http.ListenAndServe(where, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		query := request.URL.Query()
		count, err := strconv.Atoi(query.Get("count"))
		if err != nil {
			count = 1
		}
		message := query.Get("message")
		if message == "" {
			message = "hi"
		}
		answers := map[string]int{}
		for ; count > 0; count-- {
			answers[once(message, query.Get("to"))]++
		}
		_ = json.NewEncoder(response).Encode(answers)
	}))
}

// PermissionDenied as PERMISSION_DENIED: one spelling for all languages.
func screaming(code codes.Code) string {
	var text strings.Builder
	for i, letter := range code.String() {
		if i > 0 && letter >= 'A' && letter <= 'Z' {
			text.WriteByte('_')
		}
		text.WriteRune(letter)
	}
	return strings.ToUpper(text.String())
}

func main() {
	arguments := os.Args[1:]
	isPlain := len(arguments) > 3 && arguments[3] == "plain"
	run := serve
	if arguments[0] == "client" {
		run = call
	}
	log.Fatal(run(arguments[1], arguments[2], isPlain))
}
