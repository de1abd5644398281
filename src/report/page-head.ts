import { escapeHtml } from './text.ts'

/** The first lines of a page that opens offline: it may run and show what is in it, and may ask no server for anything. */
export const pageHead = (title: string, style: string): string[] => [
  '<!doctype html>',
  '<html lang="en">',
  '<head>',
  '<meta charset="utf-8">',
  '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'; script-src \'unsafe-inline\'; img-src data:">',
  '<meta name="viewport" content="width=device-width, initial-scale=1">',
  '<meta name="color-scheme" content="light dark">',
  '<meta name="generator" content="engram">',
  `<title>${escapeHtml(title)}</title>`,
  `<style>\n${style}\n</style>`,
]
