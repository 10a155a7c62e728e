import { UsageError } from '../errors/usage-error.js';

/** A template is invalid, or does not fit its data. */
export class TemplateError extends UsageError {
  constructor(message: string) {
    super(`the template is wrong: ${message}`, 'Write a template of Go, as Docker takes one: {{.Name}}, {{json .}}, {{range .Mounts}}{{.Source}} {{end}}.');
  }
}
