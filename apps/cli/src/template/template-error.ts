import { UsageError } from '../errors/usage-error.js';

/** A template is wrong, or does not fit what it is filled with. */
export class TemplateError extends UsageError {
  constructor(message: string) {
    super(`the template is wrong: ${message}`, 'Write a template of Go, as Docker takes one: {{.Name}}, {{json .}}, {{range .Mounts}}{{.Source}} {{end}}.');
  }
}
