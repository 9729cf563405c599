// What an attacker would gain if a rule of .eslintrc.json were lost: a message of his that runs as a script in the pages of others.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';

const project = dirname( dirname( fileURLToPath( import.meta.url ) ) );
const eslint = new ESLint( { cwd: project } );

// The rules that keep the content of messages from being taken for HTML or for a program.
const properties = 'no-restricted-properties';
const syntax = 'no-restricted-syntax';
const sinks = {
	'e.innerHTML = data.msg;': properties,
	'e.innerHTML += data.msg;': properties,
	'e[ \'innerHTML\' ] = data.msg;': properties,
	'e.outerHTML = data.msg;': properties,
	'frame.srcdoc = data.msg;': properties,
	'Object.assign( e, { innerHTML: data.msg } );': syntax,
	'e.insertAdjacentHTML( \'beforeend\', data.msg );': properties,
	'e.setHTMLUnsafe( data.msg );': properties,
	'document.write( data.msg );': properties,
	'document.writeln( data.msg );': properties,
	'range.createContextualFragment( data.msg );': properties,
	'new DOMParser().parseFromString( data.msg, \'text/html\' );': properties,
	'e.setAttribute( \'onclick\', data.msg );': syntax,
	'e.setAttribute( \'srcdoc\', data.msg );': syntax,
	'e.href = \'javascript:\' + data.msg;': 'no-script-url',
	'eval( data.msg );': 'no-eval',
	'window.eval( data.msg );': 'no-eval',
	'( 0, eval )( data.msg );': 'no-eval',
	'f = new Function( data.msg );': 'no-new-func',
	'f = Function( data.msg );': 'no-new-func',
	'setTimeout( \'run(\' + data.msg + \')\', 1 );': 'no-implied-eval',
	'setInterval( `run(${ data.msg })`, 1 );': 'no-implied-eval',
	'window.setTimeout( \'run()\', 1 );': 'no-implied-eval',
	'import( data.msg );': syntax,
	'$e.html( data.msg );': syntax,
	'$e[ \'html\' ]( data.msg );': syntax,
	'$e.append( \'<b>\' + data.msg );': syntax,
	'$e.append( first, `<b>${ data.msg }</b>` );': syntax,
	'$e.prepend( \'<b>\' + data.msg );': syntax,
	'$e.before( \'<b>\' + data.msg );': syntax,
	'$e.after( \'<b>\' + data.msg );': syntax,
	'$e.replaceWith( \'<b>\' + data.msg );': syntax,
	'$e.wrap( \'<b>\' + data.msg );': syntax,
	'$e = $( \'<b>\' + data.msg );': syntax,
	'$e = jQuery( `<b>${ data.msg }</b>` );': syntax,
	'$e = $( \'<b onclick="run()">x</b>\' );': 'no-jquery/no-parse-html-literal',
	'$e = $( \'<b>\', { html: data.msg } );': syntax,
	'$e = $.parseHTML( data.msg );': properties,
	'$.globalEval( data.msg );': 'no-jquery/no-global-eval',
	'$.getScript( data.msg );': properties,
	'mw.message( \'x\', data.msg ).parseDom();': properties,
	'mw.message( \'x\', data.msg ).parse();': syntax
};
const harmless = [
	'e.textContent = data.msg;',
	'e.appendChild( document.createTextNode( data.msg ) );',
	'e.append( document.createTextNode( data.msg ) );',
	'e.setAttribute( \'title\', data.msg );',
	'setTimeout( () => run( data.msg ), 1 );',
	'$e.text( data.msg );',
	'$e.append( $( \'<b>\' ).text( data.msg ) );',
	'text = mw.message( \'x\', data.msg ).text();',
	'value = JSON.parse( data.msg );'
];
const guards = new Set( Object.values( sinks ) );

/**
 * @param {string} code
 * @param {string} file
 * @return {Promise<string[]>} The rules of those above that refuse it
 */
async function refusedBy( code, file ) {
	const [ result ] = await eslint.lintText( code + '\n', { filePath: join( project, file ) } );
	assert.equal( result.messages.filter( ( m ) => m.fatal ).length, 0, code + ' is not JavaScript' );
	return result.messages.filter( ( m ) => m.severity === 2 && guards.has( m.ruleId ) ).map( ( m ) => m.ruleId );
}

const folders = [ 'resources/ext.websocket', 'resources/ext.websocket.live', 'resources/worker', 'relay/apps/chat/page', 'relay/apps/logview/page' ];
for ( const folder of folders ) {
	test( 'a message runs in the page: ' + folder, async () => {
		for ( const [ code, rule ] of Object.entries( sinks ) ) {
			if ( folder.startsWith( 'relay/' ) && code.startsWith( 'import(' ) ) {
				continue; // no JavaScript there: these are ES2016
			}
			const rules = await refusedBy( code, `${ folder }/sink.js` );
			assert.ok( rules.includes( rule ), `${ code } is not refused by ${ rule } (${ rules })` );
		}
		for ( const code of harmless ) {
			assert.deepEqual( await refusedBy( code, `${ folder }/sink.js` ), [], code );
		}
	} );
}

test( 'a comment switches the rules off', () => {
	const inside = ( folder ) => readdirSync( join( project, folder ), { recursive: true } ).map( ( file ) => join( folder, file ) );
	for ( const file of [ ...inside( 'resources' ), ...inside( 'relay/apps' ) ] ) {
		if ( !file.endsWith( '.js' ) || file.startsWith( 'resources/dist' ) || /\.test(ing)?\.js$/.test( file ) ) {
			continue;
		}
		const comments = readFileSync( join( project, file ), 'utf8' ).match( /eslint(-disable|-env|\s+[\w/-]+\s*:).*/g ) || [];
		for ( const comment of comments ) {
			const names = comment.replace( /^eslint-disable(-next-line|-line)?/, '' ).replace( /--.*|\*\/.*/, '' ).split( ',' ).map( ( name ) => name.trim() );
			assert.match( comment, /^eslint-disable/, file + ' configures rules: ' + comment );
			assert.ok( names.every( ( name ) => name && !guards.has( name ) ), file + ': ' + comment );
		}
	}
} );
