/**
 * Tells the reader of a page that somebody else has changed it.
 */
import { Bar } from './bar.js';
import { fold } from './summary.js';

const revision = mw.config.get( 'wgRevisionId' );
const page = { revision, user: mw.config.get( 'wgUserName' ) };
let summary = null;
let bar = null;

function show() {
	// The number of changes needs the plural rules of the reader's language, which one change does not.
	if ( summary.count > 1 && summary.kind === 'edited' ) {
		mw.loader.using( 'mediawiki.jqueryMsg' ).then( () => bar.show( summary, revision ) );
	} else {
		bar.show( summary, revision );
	}
}

mw.hook( 'wikipage.content' ).add( () => {
	if ( bar || !revision || mw.config.get( 'wgAction' ) !== 'view' || mw.config.get( 'wgCurRevisionId' ) !== revision ) {
		return;
	}
	bar = new Bar();
	window.webSocket.subscribe( mw.config.get( 'wsWikiID' ) + '@page/' + mw.config.get( 'wgArticleId' ), ( data ) => {
		const next = fold( summary, data.msg, page );
		if ( next !== summary ) {
			summary = next;
			show();
		}
	} );
} );
