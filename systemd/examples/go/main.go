// Asks a model with the AWS SDK for Go. Nothing in it knows of invlog; its environment does:
//
//	go mod init example && go mod tidy
//	invlog exec -- go run . "Why is the sky blue?"
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatalf("usage: %s QUESTION", os.Args[0])
	}
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	client := bedrockruntime.NewFromConfig(settings)
	answer, err := client.Converse(ctx, &bedrockruntime.ConverseInput{
		ModelId: aws.String("eu.amazon.nova-2-lite-v1:0"),
		Messages: []types.Message{{
			Role:    types.ConversationRoleUser,
			Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: os.Args[1]}},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	message, ok := answer.Output.(*types.ConverseOutputMemberMessage)
	if !ok {
		log.Fatal("the answer is no message")
	}
	for _, block := range message.Value.Content {
		if text, ok := block.(*types.ContentBlockMemberText); ok {
			fmt.Println(text.Value)
		}
	}
}
